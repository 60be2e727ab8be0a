(* The rule "batch-state" of FORMAT.md: its functions, and what they find (batch_state.md).

   A batch is a list of codes, those who run: one with prompt s that has run for j rounds has the
   code j W + s, where W is more than any prompt.  Codes ascend.  Batches of a time are those before its
   completions; in a table each has its cost-to-go and the tokens that are left beside it. *)

From Coq Require Import ZArith List Lia Bool SetoidList FMapPositive.
From Kvopt Require Import Keys Released.
Import ListNotations.
Open Scope Z_scope.

(* --- Batches ----------------------------------------------------------------------------- *)

Fixpoint insert_code (e : Z) (h : list Z) : list Z :=
  match h with
  | [] => [e]
  | x :: rest => if e <=? x then e :: h else x :: insert_code e rest
  end.

Fixpoint remove (e : Z) (h : list Z) : option (list Z) :=
  match h with
  | [] => None
  | x :: rest =>
      if e =? x then Some rest
      else if e <? x then None
      else match remove e rest with Some rest' => Some (x :: rest') | None => None end
  end.

(* The batch after the completions of the time before, and the tokens that the round took. *)
Fixpoint before (W : Z) (h : list Z) : list Z :=
  match h with
  | [] => []
  | e :: rest => if e <? 2 * W then before W rest else (e - W) :: before W rest
  end.
Fixpoint taken (W : Z) (h : list Z) : Z :=
  match h with
  | [] => 0
  | e :: rest => (if e <? 2 * W then e - W + 1 else 1) + taken W rest
  end.

(* A type: the code of who completes, and its tokens; the largest of its duals, and the one farthest
   from 0; its place in the number that says how many of each type have yet to complete; its output, the
   steps (release, dual) of its price, and (release, dual) of who completes if 1, 2, ... are left. *)
Record kind := Kind {
  code : Z; size : Z; dual : Z; far : Z; unit : Z; radix : Z;
  run : Z; steps : list (Z * Z); queue : PositiveMap.t (Z * Z)
}.

(* The price at time t (theorem 5 of release_times.md), if some can complete then; the dual of
   who completes then if m are left, if it can. *)
Definition price (k : kind) (t : Z) : option Z := best_by (t - run k) (steps k).
Definition owed (k : kind) (t m : Z) : option Z :=
  match PositiveMap.find (Z.to_pos m) (queue k) with
  | Some (r, w) => if r + run k <=? t then Some w else None
  | None => None
  end.

(* What stands for the cost of what is impossible. *)
Definition never : Z := 10 ^ 80.
Definition cost_with (D t : Z) (dual : option Z) : Z :=
  match dual with Some w => D * t - w | None => never end.

(* --- Costs-to-go ------------------------------------------------------------------------- *)

(* For each batch its cost-to-go and its room; and the steps that may still be taken. *)
Definition batch_table := KeyMap.t (Z * Z).
Definition for_new : Z := 10.
Definition for_old : Z := 2.

Definition put (h : list Z) (x : Z * Z) (Q : batch_table * Z) : batch_table * Z :=
  let (T, n) := Q in
  if n <=? 0 then Q
  else
    let size := Z.of_nat (length h) in
    match KeyMap.find h T with
    | None => (KeyMap.add h x T, n - for_new - size)
    | Some y =>
        (if (fst y <=? fst x) && (snd x <=? snd y) then T
         else KeyMap.add h (Z.min (fst y) (fst x), Z.max (snd y) (snd x)) T, n - for_old - size)
    end.

(* From batches before the completions of a time to those after the completions of the last. *)
Definition back (W : Z) (Q : batch_table * Z) : batch_table * Z :=
  KeyMap.fold (fun h x Q' => put (before W h) (fst x, snd x + taken W h) Q') (fst Q)
    (KeyMap.empty _, snd Q).

(* All that fit of one type, which cost c each, beside a batch. *)
Fixpoint more (k : kind) (c : Z) (fuel : nat) (h : list Z) (x : Z * Z) (Q : batch_table * Z) : batch_table * Z :=
  match fuel with
  | O => Q
  | S fuel' =>
      if (snd x <? size k) || (snd Q <=? 0) then Q
      else
        let h' := insert_code (code k) h in
        let x' := (fst x + c, snd x - size k) in
        more k c fuel' h' x' (put h' x' Q)
  end.

Section Steps.
  (* What a completion costs at time t is D t less its price; those that cost more than the slack z
     are left out. *)
  Context (D z : Z).

  Definition charge (k : kind) (t : Z) : Z := cost_with D t (price k t).

  (* From after the completions of t to before. *)
  Fixpoint grow (t : Z) (kinds : list kind) (Q : batch_table * Z) : batch_table * Z :=
    match kinds with
    | [] => Q
    | k :: rest =>
        let Q' := grow t rest Q in
        if charge k t <=? z then
          let c := charge k t in
          KeyMap.fold (fun h x Q'' =>
              if snd x <? size k then Q'' else more k c (Z.to_nat (snd x)) h x Q'')
            (fst Q') Q'
        else Q'
    end.

  (* The tables of times 1, 2, ..., before those that are there. *)
  Fixpoint batch_tables (W : Z) (kinds : list kind) (t : nat) (Q : batch_table * Z) (later : list batch_table) :
      list batch_table * (batch_table * Z) :=
    match t with
    | O => (later, Q)
    | S t' =>
        let Q' := grow (Z.of_nat t) kinds (back W Q) in
        batch_tables W kinds t' Q' (fst Q' :: later)
    end.
End Steps.

(* --- The search -------------------------------------------------------------------------- *)

(* For each batch of a time its cost-to-go and its nodes: how many of each type have yet to complete, as
   one number, and the cost so far. *)
Definition node : Type := Z * Z.
Definition nodes := KeyMap.t (Z * list node).

(* Two lists in one, in order; of each number the least cost. *)
Fixpoint merge (l : list node) : list node -> list node :=
  fix go (l' : list node) : list node :=
    match l, l' with
    | [], _ => l'
    | _, [] => l
    | (a, v) :: rest, (a', v') :: rest' =>
        match a ?= a' with
        | Lt => (a, v) :: merge rest l'
        | Gt => (a', v') :: go rest'
        | Eq => (a, Z.min v v') :: merge rest rest'
        end
    end.

(* Nodes after one completion, if some of the type are left, and the cost-to-go is not too much. *)
Fixpoint completing (k : kind) (c : Z -> Z) (most : Z) (l : list node) : list node :=
  match l with
  | [] => []
  | (a, v) :: rest =>
      let m := (a / unit k) mod radix k in
      let v' := v + c m in
      if (v' <=? most) && negb (m =? 0)
      then (a - unit k, v') :: completing k c most rest
      else completing k c most rest
  end.

(* All completions of one type, from the nodes of one batch; X is what may be spent. *)
Fixpoint fewer (X : Z) (k : kind) (c : Z -> Z) (fuel h : list Z) (l : list node) (N : nodes) : nodes :=
  match fuel, l with
  | _ :: fuel', _ :: _ =>
      match remove (code k) h with
      | None => N
      | Some h' =>
          match KeyMap.find h' N with
          | None => N
          | Some (rest, there) =>
              let l' := completing k c (X - rest) l in
              fewer X k c fuel' h' l' (KeyMap.add h' (rest, merge l' there) N)
          end
      end
  | _, _ => N
  end.

Definition due (D t : Z) (k : kind) (m : Z) : Z := cost_with D t (owed k t m).

Fixpoint finish (D z X t : Z) (kinds : list kind) (N : nodes) : nodes :=
  match kinds with
  | [] => N
  | k :: others =>
      let c := due D t k in
      finish D z X t others
        (if charge D k t <=? z then KeyMap.fold (fun h x N' => fewer X k c h h (snd x) N') N N else N)
  end.

(* A round: to each batch come the nodes of the one before; to the empty one none, unless the
   round may be idle. *)
Definition advance_batch (idle : bool) (W X : Z) (N : nodes) (T : batch_table) : nodes :=
  KeyMap.mapi (fun h x =>
      let rest := fst x in
      (rest,
       match negb idle && match h with [] => true | _ => false end, KeyMap.find (before W h) N with
       | false, Some (_, l) => filter (fun y => negb (fst y =? 0) && (snd y + rest <=? X)) l
       | _, _ => []
       end)) T.

Definition found (X : Z) (N : nodes) : bool :=
  match KeyMap.find [] N with
  | Some (_, l) => existsb (fun y => (fst y =? 0) && (snd y <=? X)) l
  | None => false
  end.

Definition batch_number (N : nodes) : Z :=
  KeyMap.fold (fun _ x n => n + Z.of_nat (length (snd x))) N 0.

(* Is no schedule found, with few enough nodes?  Tables are those of times t, t + 1, ...; rounds up to the last
   release A may be idle. *)
Fixpoint none_found (A W D z X limit : Z) (kinds : list kind) (t : Z) (later : list batch_table) (N : nodes)
    (looked_at : Z) : bool :=
  match later with
  | [] => true
  | T :: later' =>
      let N' := finish D z X t kinds (advance_batch (t <=? A) W X N T) in
      let n := looked_at + batch_number N' in
      negb (found X N' || (limit <? n)) && none_found A W D z X limit kinds (t + 1) later' N' n
  end.

(* --- Proofs: batches --------------------------------------------------------------------- *)

Lemma insert_swap x y h : insert_code x (insert_code y h) = insert_code y (insert_code x h).
Proof.
  induction h as [|a h IH]; cbn [insert_code].
  - destruct (Z.leb_spec x y), (Z.leb_spec y x); try reflexivity; try lia. replace y with x by lia. reflexivity.
  - destruct (Z.leb_spec y a), (Z.leb_spec x a); cbn [insert_code];
      repeat (match goal with |- context [?u <=? ?v] => destruct (Z.leb_spec u v) end; cbn [insert_code]);
      try lia; try reflexivity; try (replace y with x by lia; reflexivity). rewrite IH. reflexivity.
Qed.

Lemma remove_insert e h : remove e (insert_code e h) = Some h.
Proof.
  induction h as [|a h IH]; cbn [insert_code remove]; [rewrite Z.eqb_refl; reflexivity|].
  destruct (Z.leb_spec e a); cbn [remove]; [rewrite Z.eqb_refl; reflexivity|].
  destruct (Z.eqb_spec e a), (Z.ltb_spec e a); try lia. rewrite IH. reflexivity.
Qed.

Lemma before_insert W e h :
  before W (insert_code e h) = if e <? 2 * W then before W h else insert_code (e - W) (before W h).
Proof.
  induction h as [|a h IH]; cbn [insert_code before]; [destruct (e <? 2 * W); reflexivity|].
  destruct (Z.leb_spec e a); cbn [before].
  - destruct (Z.ltb_spec e (2 * W)); [reflexivity|]. destruct (Z.ltb_spec a (2 * W)); [lia|].
    cbn [insert_code]. destruct (Z.leb_spec (e - W) (a - W)); [reflexivity|lia].
  - destruct (Z.ltb_spec a (2 * W)); [exact IH|]. rewrite IH. destruct (Z.ltb_spec e (2 * W)); [lia|].
    cbn [insert_code]. destruct (Z.leb_spec (e - W) (a - W)); [lia|reflexivity].
Qed.

Lemma taken_insert W e h :
  taken W (insert_code e h) = (if e <? 2 * W then e - W + 1 else 1) + taken W h.
Proof.
  induction h as [|a h IH]; cbn [insert_code taken]; [lia|]. destruct (e <=? a); cbn [taken]; [lia|]. lia.
Qed.

Lemma insert_length e h : length (insert_code e h) = S (length h).
Proof. induction h as [|a h IH]; cbn [insert_code]; [reflexivity|]. destruct (e <=? a); cbn [length]; auto. Qed.

(* n more with the same code. *)
Fixpoint adds (n : nat) (e : Z) (h : list Z) : list Z :=
  match n with O => h | S n' => insert_code e (adds n' e h) end.

Lemma adds_insert n e h : adds n e (insert_code e h) = adds (S n) e h.
Proof. induction n as [|n IH]; cbn [adds] in *; [reflexivity|]. rewrite IH. reflexivity. Qed.

Lemma adds_length n e h : (n <= length (adds n e h))%nat.
Proof. induction n as [|n IH]; cbn [adds]; [lia|]. rewrite insert_length. lia. Qed.

(* So many of each type are about to complete, beside a batch: that batch, their tokens, their cost. *)
Fixpoint pile (kinds : list kind) (ns : list nat) (h : list Z) : list Z :=
  match kinds, ns with k :: kinds', n :: ns' => adds n (code k) (pile kinds' ns' h) | _, _ => h end.
Fixpoint batch_tokens (kinds : list kind) (ns : list nat) : Z :=
  match kinds, ns with k :: kinds', n :: ns' => Z.of_nat n * size k + batch_tokens kinds' ns' | _, _ => 0 end.
Fixpoint charges (D t : Z) (kinds : list kind) (ns : list nat) : Z :=
  match kinds, ns with
  | k :: kinds', n :: ns' => Z.of_nat n * charge D k t + charges D t kinds' ns'
  | _, _ => 0
  end.

Lemma tokens_nonneg kinds ns : (forall k, In k kinds -> 1 <= size k) -> 0 <= batch_tokens kinds ns.
Proof.
  revert ns. induction kinds as [|k kinds IH]; intros [|n ns] H; cbn [batch_tokens]; try lia.
  specialize (IH ns (fun x Hx => H x (or_intror Hx))). specialize (H k (or_introl eq_refl)). nia.
Qed.

(* --- Proofs: folds over maps ------------------------------------------------------------- *)

Section Folds.
  Context {A B : Type} (R : B -> B -> Prop) (Rrefl : forall x, R x x)
    (Rtrans : forall x y z, R x y -> R y z -> R x z).
  Context (f : list Z -> A -> B -> B) (Hf : forall h x Q, R Q (f h x Q)).

  Lemma fold_leads (m : KeyMap.t A) Q : R Q (KeyMap.fold f m Q).
  Proof.
    rewrite KeyMap.fold_1. revert Q. induction (KeyMap.elements m) as [|y l IH]; intros Q; [apply Rrefl|].
    cbn [fold_left]. eapply Rtrans; [apply Hf|apply IH].
  Qed.

  Lemma fold_reaches (m : KeyMap.t A) Q h x : KeyMap.find h m = Some x ->
    exists Q', R Q Q' /\ R (f h x Q') (KeyMap.fold f m Q).
  Proof.
    intros H. apply KeyMap.find_2, KeyMap.elements_1, InA_alt in H as ([h' x'] & [E1 E2] & Hin).
    cbn [fst snd] in *. unfold Key.eq in E1. subst h' x'. rewrite KeyMap.fold_1. revert Q.
    induction (KeyMap.elements m) as [|y l IH]; intros Q; [destruct Hin|]. cbn [fold_left].
    destruct Hin as [->|Hin].
    - exists Q. split; [apply Rrefl|]. cbn [fst snd]. clear -Rrefl Rtrans Hf. generalize (f h x Q).
      induction l as [|y l IH]; intros Q'; [apply Rrefl|]. cbn [fold_left].
      eapply Rtrans; [apply Hf|apply IH].
    - destruct (IH Hin (f (fst y) (snd y) Q)) as (Q' & H1 & H2). exists Q'. split; [|exact H2].
      eapply Rtrans; [apply Hf|exact H1].
  Qed.
End Folds.

(* --- Proofs: costs-to-go ----------------------------------------------------------------- *)

(* A batch is in a table, with no more than this cost and no less than this room. *)
Definition batch_entry (T : batch_table) (h : list Z) (v r : Z) : Prop :=
  exists v' r', KeyMap.find h T = Some (v', r') /\ v' <= v /\ r <= r'.

Definition leads (Q Q' : batch_table * Z) : Prop :=
  snd Q' <= snd Q /\ (0 < snd Q' -> forall h v r, batch_entry (fst Q) h v r -> batch_entry (fst Q') h v r).

Lemma leads_refl Q : leads Q Q.
Proof. split; [lia|auto]. Qed.

Lemma leads_trans S1 S2 S3 : leads S1 S2 -> leads S2 S3 -> leads S1 S3.
Proof.
  intros [H1 H2] [H3 H4]. split; [lia|]. intros Hn h v r H. apply H4; [exact Hn|]. apply H2; [lia|exact H].
Qed.

Lemma entry_add T h x : batch_entry (KeyMap.add h x T) h (fst x) (snd x).
Proof. exists (fst x), (snd x). rewrite KeyFacts.add_eq_o by reflexivity. destruct x. split; [reflexivity|cbn; lia]. Qed.

Lemma entry_add_other T h x h' v r :
  (forall y, KeyMap.find h T = Some y -> fst x <= fst y /\ snd y <= snd x) ->
  batch_entry T h' v r -> batch_entry (KeyMap.add h x T) h' v r.
Proof.
  intros Hx (v' & r' & Hfind & Hv & Hr). destruct (Key.eq_dec h h') as [E|E].
  - unfold Key.eq in E. subst h'. specialize (Hx _ Hfind). cbn [fst snd] in Hx.
    exists (fst x), (snd x). rewrite KeyFacts.add_eq_o by reflexivity. destruct x. split; [reflexivity|]. cbn in *. lia.
  - exists v', r'. rewrite KeyFacts.add_neq_o by exact E. auto.
Qed.

Lemma put_leads h x Q : leads Q (put h x Q).
Proof.
  destruct Q as [T n]. unfold put, for_new, for_old. destruct (n <=? 0); [apply leads_refl|].
  destruct (KeyMap.find h T) as [y|] eqn:E.
  - split; cbn [fst snd]; [lia|]. intros _ h' v r H. destruct (_ && _); [exact H|].
    apply entry_add_other; [|exact H]. intros y' E'. rewrite E in E'. inversion E'. subst. cbn [fst snd]. lia.
  - split; cbn [fst snd]; [lia|]. intros _ h' v r H. apply entry_add_other; [|exact H]. congruence.
Qed.

Lemma put_entry h x Q : 0 < snd (put h x Q) -> batch_entry (fst (put h x Q)) h (fst x) (snd x).
Proof.
  destruct Q as [T n]. unfold put. destruct (Z.leb_spec n 0); [cbn [snd]; lia|]. intros _.
  destruct (KeyMap.find h T) as [y|] eqn:E; cbn [fst]; [|apply entry_add].
  destruct (_ && _) eqn:Hy.
  - exists (fst y), (snd y). destruct y. split; [exact E|]. cbn in *. lia.
  - destruct (entry_add T h (Z.min (fst y) (fst x), Z.max (snd y) (snd x))) as (v & r & H1 & H2 & H3).
    cbn [fst snd] in *. exists v, r. split; [exact H1|lia].
Qed.

Lemma back_spec W Q h v r : 0 < snd (back W Q) -> batch_entry (fst Q) h v r ->
  batch_entry (fst (back W Q)) (before W h) v (r + taken W h).
Proof.
  intros Hn (v' & r' & Hfind & Hv & Hr). unfold back in *.
  set (f := fun h0 x Q' => put (before W h0) (fst x, snd x + taken W h0) Q') in *.
  destruct (fold_reaches leads leads_refl leads_trans f
    (fun h0 x Q' => put_leads _ _ _) (fst Q) (KeyMap.empty _, snd Q) h (v', r') Hfind) as (Q' & _ & H).
  change (f h (v', r') Q') with (put (before W h) (v', r' + taken W h) Q') in H. destruct H as [H1 H2].
  specialize (H2 Hn). apply H2.
  destruct (put_entry (before W h) (v', r' + taken W h) Q') as (v2 & r2 & E & E1 & E2);
    [eapply Z.lt_le_trans; [exact Hn|exact H1]|].
  exists v2, r2. cbn [fst snd] in *. split; [exact E|lia].
Qed.

Lemma more_leads k c fuel h x Q : leads Q (more k c fuel h x Q).
Proof.
  revert h x Q. induction fuel as [|fuel IH]; intros h x Q; cbn [more]; [apply leads_refl|].
  destruct ((snd x <? size k) || (snd Q <=? 0)); [apply leads_refl|]. eapply leads_trans; [apply put_leads|apply IH].
Qed.

Lemma more_spec k c n fuel h x Q : 1 <= size k -> (1 <= n <= fuel)%nat -> Z.of_nat n * size k <= snd x ->
  0 < snd (more k c fuel h x Q) ->
  batch_entry (fst (more k c fuel h x Q)) (adds n (code k) h) (fst x + Z.of_nat n * c) (snd x - Z.of_nat n * size k).
Proof.
  intros Hk. revert n h x Q. induction fuel as [|fuel IH]; intros n h x Q Hn Hroom Hpos; [lia|].
  cbn [more] in *. destruct (Z.ltb_spec (snd x) (size k)) as [Hless|Henough]; [nia|].
  destruct (Z.leb_spec (snd Q) 0) as [Hspent|_]; cbn [orb] in *; [lia|].
  destruct n as [|[|n]]; [lia| |].
  - pose proof (more_leads k c fuel (insert_code (code k) h) (fst x + c, snd x - size k)
      (put (insert_code (code k) h) (fst x + c, snd x - size k) Q)) as [H1 H2].
    apply H2; [exact Hpos|]. cbn [adds].
    replace (fst x + Z.of_nat 1 * c) with (fst x + c) by lia.
    replace (snd x - Z.of_nat 1 * size k) with (snd x - size k) by lia.
    apply (put_entry _ (fst x + c, snd x - size k)). lia.
  - specialize (IH (S n) (insert_code (code k) h) (fst x + c, snd x - size k)
      (put (insert_code (code k) h) (fst x + c, snd x - size k) Q) ltac:(lia)).
    cbn [fst snd] in IH. rewrite adds_insert in IH.
    replace (fst x + Z.of_nat (S (S n)) * c) with (fst x + c + Z.of_nat (S n) * c) by lia.
    replace (snd x - Z.of_nat (S (S n)) * size k) with (snd x - size k - Z.of_nat (S n) * size k) by lia.
    apply IH; [lia|exact Hpos].
Qed.

Section Grow.
  Context (D z : Z).

  Lemma grow_leads t kinds Q : leads Q (grow D z t kinds Q).
  Proof.
    induction kinds as [|k kinds IH]; cbn [grow]; [apply leads_refl|].
    destruct (_ <=? z); [|exact IH]. eapply leads_trans; [exact IH|].
    apply fold_leads; [apply leads_refl|apply leads_trans|]. intros h x Q'.
    destruct (_ <? _); [apply leads_refl|apply more_leads].
  Qed.

  (* Whatever completes at t, at a cost of z at most each. *)
  Lemma grow_spec t kinds : (forall k, In k kinds -> 1 <= size k) -> forall ns Q h v r,
    batch_entry (fst Q) h v r -> batch_tokens kinds ns <= r ->
    (forall k n, In (k, n) (combine kinds ns) -> z < charge D k t -> n = O) ->
    0 < snd (grow D z t kinds Q) ->
    batch_entry (fst (grow D z t kinds Q)) (pile kinds ns h) (v + charges D t kinds ns) (r - batch_tokens kinds ns).
  Proof.
    intros Hsize. induction kinds as [|k kinds IH]; intros ns Q h v r Hentry Hroom Hdear Hpos.
    - cbn [grow pile charges batch_tokens] in *. rewrite Z.add_0_r, Z.sub_0_r. exact Hentry.
    - assert (Hk : 1 <= size k) by (apply Hsize; simpl; auto).
      assert (Hsizes : forall k, In k kinds -> 1 <= size k) by (intros; apply Hsize; simpl; auto).
      destruct ns as [|n ns].
      + cbn [pile charges batch_tokens] in *. rewrite Z.add_0_r, Z.sub_0_r.
        destruct (grow_leads t (k :: kinds) Q) as [_ H]. apply H; auto.
      + cbn [grow pile charges batch_tokens] in *.
        assert (Hn : 0 < snd (grow D z t kinds Q)).
        { destruct (_ <=? z); [|exact Hpos].
          match type of Hpos with 0 < snd (KeyMap.fold ?f ?m ?s) =>
            assert (H : leads s (KeyMap.fold f m s)) end.
          { apply fold_leads; [apply leads_refl|apply leads_trans|]. intros h' x Q'.
            destruct (_ <? _); [apply leads_refl|apply more_leads]. }
          destruct H. lia. }
        assert (Hprod : 0 <= Z.of_nat n * size k) by nia.
        specialize (IH Hsizes ns Q h v r Hentry ltac:(lia)
          (fun k' n' Hin => Hdear k' n' (or_intror Hin)) Hn).
        destruct (Z.leb_spec (charge D k t) z) as [Hc|Hc].
        * set (f := fun (h0 : KeyMap.key) x Q'' =>
            if snd x <? size k then Q'' else more k (charge D k t) (Z.to_nat (snd x)) h0 x Q'') in *.
          assert (Hf : forall h x Q', leads Q' (f h x Q')).
          { intros h' x Q'. unfold f. destruct (_ <? _); [apply leads_refl|apply more_leads]. }
          destruct n as [|n].
          { destruct (fold_leads leads leads_refl leads_trans f Hf
              (fst (grow D z t kinds Q)) (grow D z t kinds Q)) as [_ H].
            cbn [adds]. replace (v + (Z.of_nat 0 * charge D k t + charges D t kinds ns))
              with (v + charges D t kinds ns) by lia.
            replace (r - (Z.of_nat 0 * size k + batch_tokens kinds ns)) with (r - batch_tokens kinds ns) by lia.
            apply H; [exact Hpos|exact IH]. }
          destruct IH as (v' & r' & Hfind & Hv & Hr).
          destruct (fold_reaches leads leads_refl leads_trans f Hf _ (grow D z t kinds Q) _ _ Hfind)
            as (Q' & _ & [H1 H2]).
          specialize (H2 Hpos). apply H2. unfold f in H1 |- *. cbn [snd] in H1 |- *.
          destruct (Z.ltb_spec r' (size k)); [nia|].
          destruct (more_spec k (charge D k t) (S n) (Z.to_nat r') (pile kinds ns h) (v', r') Q' Hk)
            as (v2 & r2 & E & E1 & E2); cbn [fst snd] in *.
          { nia. } { nia. } { eapply Z.lt_le_trans; [exact Hpos|exact H1]. }
          exists v2, r2. split; [exact E|]. nia.
        * rewrite (Hdear k n (or_introl eq_refl) Hc) in *. cbn [adds].
          replace (v + (Z.of_nat 0 * charge D k t + charges D t kinds ns))
            with (v + charges D t kinds ns) by lia.
          replace (r - (Z.of_nat 0 * size k + batch_tokens kinds ns)) with (r - batch_tokens kinds ns) by lia. exact IH.
  Qed.
End Grow.

(* --- Proofs: the search ------------------------------------------------------------------ *)

Definition node_at (N : nodes) (h : list Z) (a v : Z) : Prop :=
  exists rest l v', KeyMap.find h N = Some (rest, l) /\ In (a, v') l /\ v' <= v.
Definition rest_at (N : nodes) (h : list Z) (rest : Z) : Prop :=
  exists rest' l, KeyMap.find h N = Some (rest', l) /\ rest' <= rest.

(* No batch is lost, no cost-to-go changed, no node dearer. *)
Definition keeps (N N' : nodes) : Prop :=
  forall h rest l, KeyMap.find h N = Some (rest, l) ->
  exists l', KeyMap.find h N' = Some (rest, l') /\
    forall a v, In (a, v) l -> exists v', v' <= v /\ In (a, v') l'.

Lemma keeps_refl N : keeps N N.
Proof. intros h rest l H. exists l. split; [exact H|]. intros a v Hv. exists v. split; [lia|exact Hv]. Qed.

Lemma keeps_trans N1 N2 N3 : keeps N1 N2 -> keeps N2 N3 -> keeps N1 N3.
Proof.
  intros H12 H23 h rest l H. destruct (H12 h rest l H) as (l2 & H2 & Hl2).
  destruct (H23 h rest l2 H2) as (l3 & H3 & Hl3). exists l3. split; [exact H3|]. intros a v Hv.
  destruct (Hl2 a v Hv) as (v2 & Hle2 & Hv2). destruct (Hl3 a v2 Hv2) as (v3 & Hle3 & Hv3).
  exists v3. split; [lia|exact Hv3].
Qed.

Lemma keeps_node N N' h a v : keeps N N' -> node_at N h a v -> node_at N' h a v.
Proof.
  intros H (rest & l & v1 & Hfind & Hin & Hle). destruct (H h rest l Hfind) as (l' & H' & Hl').
  destruct (Hl' a v1 Hin) as (v2 & Hle2 & Hin2). exists rest, l', v2. repeat split; auto; lia.
Qed.

Lemma keeps_rest N N' h rest : keeps N N' -> rest_at N h rest -> rest_at N' h rest.
Proof.
  intros H (rest' & l & Hfind & Hle). destruct (H h rest' l Hfind) as (l' & H' & _). exists rest', l'. auto.
Qed.

Lemma merge_spec l l' a v : In (a, v) l \/ In (a, v) l' -> exists v', v' <= v /\ In (a, v') (merge l l').
Proof.
  revert l'. induction l as [|[b x] l IH].
  - intros l' [[]|H]. exists v. split; [lia|]. destruct l'; exact H.
  - induction l' as [|[b' x'] l' IH'].
    + intros [H|[]]. exists v. split; [lia|exact H].
    + intros H. cbn [merge]. destruct (Z.compare_spec b b') as [<-|Hlt|Hgt].
      * destruct H as [[H|H]|[H|H]]; try (inversion H; subst; exists (Z.min x x'); try (inversion H; subst);
          split; [lia|left; reflexivity]).
        -- inversion H. subst. exists (Z.min v x'). split; [lia|left; reflexivity].
        -- destruct (IH l' (or_introl H)) as (v' & H1 & H2). exists v'. split; [exact H1|right; exact H2].
        -- inversion H. subst. exists (Z.min x v). split; [lia|left; reflexivity].
        -- destruct (IH l' (or_intror H)) as (v' & H1 & H2). exists v'. split; [exact H1|right; exact H2].
      * destruct H as [[H|H]|H].
        -- inversion H. subst. exists v. split; [lia|left; reflexivity].
        -- destruct (IH ((b', x') :: l') (or_introl H)) as (v' & H1 & H2). exists v'. split; [exact H1|right; exact H2].
        -- destruct (IH ((b', x') :: l') (or_intror H)) as (v' & H1 & H2). exists v'. split; [exact H1|right; exact H2].
      * assert (Hother : In (a, v) ((b, x) :: l) \/ In (a, v) l' ->
            exists v', v' <= v /\ In (a, v') (merge ((b, x) :: l) l')) by exact IH'.
        cbn [merge] in Hother. destruct H as [H|[H|H]].
        -- destruct (Hother (or_introl H)) as (v' & H1 & H2). exists v'. split; [exact H1|right; exact H2].
        -- inversion H. subst. exists v. split; [lia|left; reflexivity].
        -- destruct (Hother (or_intror H)) as (v' & H1 & H2). exists v'. split; [exact H1|right; exact H2].
Qed.

Lemma completing_spec k c most l a v : let m := (a / unit k) mod radix k in
  In (a, v) l -> v + c m <= most -> m <> 0 -> In (a - unit k, v + c m) (completing k c most l).
Proof.
  intros m Hin Hc Hleft. unfold m in *. induction l as [|[b x] l IH]; [destruct Hin|]. cbn [completing]. cbv zeta.
  destruct Hin as [H|Hin].
  - inversion H. subst. destruct (Z.leb_spec (v + c ((a / unit k) mod radix k)) most); [|lia].
    destruct (Z.eqb_spec ((a / unit k) mod radix k) 0); [contradiction|]. left. reflexivity.
  - destruct (_ && _); [right|]; apply IH, Hin.
Qed.

Lemma keeps_add N h rest l there : KeyMap.find h N = Some (rest, there) ->
  keeps N (KeyMap.add h (rest, merge l there) N).
Proof.
  intros H h' rest' l' H'. destruct (Key.eq_dec h h') as [E|E].
  - unfold Key.eq in E. subst h'. rewrite H in H'. inversion H'. subst. exists (merge l l').
    rewrite KeyFacts.add_eq_o by reflexivity. split; [reflexivity|]. intros a v Hv.
    apply merge_spec. right. exact Hv.
  - exists l'. rewrite KeyFacts.add_neq_o by exact E. split; [exact H'|]. intros a v Hv.
    exists v. split; [lia|exact Hv].
Qed.

Lemma fewer_keeps X k c fuel h l N : keeps N (fewer X k c fuel h l N).
Proof.
  revert h l N. induction fuel as [|y0 fuel IH]; intros h l N; cbn [fewer]; [apply keeps_refl|].
  destruct l as [|y l]; [apply keeps_refl|]. destruct (remove (code k) h) as [h'|]; [|apply keeps_refl].
  destruct (KeyMap.find h' N) as [[rest there]|] eqn:E; [|apply keeps_refl].
  eapply keeps_trans; [apply keeps_add, E|apply IH].
Qed.

(* What n of a type pay if m are left before. *)
Fixpoint spend (c : Z -> Z) (m : Z) (n : nat) : Z :=
  match n with O => 0 | S n' => c m + spend c (m - 1) n' end.

Lemma spend_parts c n : forall m n', spend c m (n + n') = spend c m n + spend c (m - Z.of_nat n) n'.
Proof.
  induction n as [|n IH]; intros m n'; cbn [spend Nat.add].
  - replace (m - Z.of_nat 0) with m by lia. lia.
  - rewrite IH. replace (m - 1 - Z.of_nat n) with (m - Z.of_nat (S n)) by lia. lia.
Qed.

Lemma spend_least c x n : forall m, (forall i, (i < n)%nat -> x <= c (m - Z.of_nat i)) -> Z.of_nat n * x <= spend c m n.
Proof.
  induction n as [|n IH]; intros m H; cbn [spend]; [lia|].
  pose proof (H O ltac:(lia)) as H0. replace (m - Z.of_nat 0) with m in H0 by lia.
  specialize (IH (m - 1)). assert (Z.of_nat n * x <= spend c (m - 1) n); [|lia].
  apply IH. intros i Hi. specialize (H (S i) ltac:(lia)). replace (m - 1 - Z.of_nat i) with (m - Z.of_nat (S i)) by lia. exact H.
Qed.

Lemma fewer_spec X k c h : forall n fuel l N a v m, (1 <= n <= length fuel)%nat -> In (a, v) l ->
  (forall j, (j < n)%nat -> rest_at N (adds j (code k) h) (X - v - spend c m (n - j))) ->
  (forall j, (j < n)%nat -> ((a - Z.of_nat j * unit k) / unit k) mod radix k = m - Z.of_nat j /\ m - Z.of_nat j <> 0) ->
  node_at (fewer X k c fuel (adds n (code k) h) l N) h (a - Z.of_nat n * unit k) (v + spend c m n).
Proof.
  induction n as [|n IH]; intros fuel l N a v m Hn Hin Hrest Hleft; [lia|].
  destruct fuel as [|y0 fuel]; [cbn [length] in Hn; lia|]. cbn [length] in Hn. cbn [fewer adds].
  destruct l as [|y l]; [destruct Hin|]. rewrite remove_insert.
  destruct (Hrest n ltac:(lia)) as (rest & there & Hfind & Hle). rewrite Hfind.
  replace (S n - n)%nat with 1%nat in Hle by lia. cbn [spend] in Hle.
  set (l' := completing k c (X - rest) (y :: l)).
  assert (Hin' : In (a - unit k, v + c m) l').
  { destruct (Hleft O ltac:(lia)) as [Em Hm]. replace (a - Z.of_nat 0 * unit k) with a in Em by lia.
    replace (m - Z.of_nat 0) with m in * by lia. unfold l'. rewrite <- Em in *.
    apply completing_spec; [exact Hin|lia|exact Hm]. }
  destruct n as [|n].
  - cbn [adds] in *. eapply keeps_node; [apply fewer_keeps|].
    destruct (merge_spec l' there _ _ (or_introl Hin')) as (v' & Hv' & Hm).
    exists rest, (merge l' there), v'. rewrite KeyFacts.add_eq_o by reflexivity.
    replace (a - Z.of_nat 1 * unit k) with (a - unit k) by lia. cbn [spend]. repeat split; auto; lia.
  - replace (a - Z.of_nat (S (S n)) * unit k) with (a - unit k - Z.of_nat (S n) * unit k) by lia.
    change (spend c m (S (S n))) with (c m + spend c (m - 1) (S n)). rewrite Z.add_assoc.
    apply IH; [lia|exact Hin'| |].
    + intros j Hj. eapply keeps_rest; [apply keeps_add, Hfind|].
      specialize (Hrest j ltac:(lia)). replace (S (S n) - j)%nat with (S (S n - j)) in Hrest by lia. cbn [spend] in Hrest.
      replace (X - (v + c m) - spend c (m - 1) (S n - j)) with (X - v - (c m + spend c (m - 1) (S n - j))) by lia.
      exact Hrest.
    + intros j Hj. specialize (Hleft (S j) ltac:(lia)).
      replace (a - unit k - Z.of_nat j * unit k) with (a - Z.of_nat (S j) * unit k) by lia.
      replace (m - 1 - Z.of_nat j) with (m - Z.of_nat (S j)) by lia. exact Hleft.
Qed.

(* Numbers of each type as one number. *)
Fixpoint encode (kinds : list kind) (ds : list nat) : Z :=
  match kinds, ds with k :: kinds', d :: ds' => Z.of_nat d + radix k * encode kinds' ds' | _, _ => 0 end.
Fixpoint placed_batch (u : Z) (kinds : list kind) : Prop :=
  match kinds with [] => True | k :: kinds' => unit k = u /\ placed_batch (u * radix k) kinds' end.

(* Of no type more complete than are left, and no more are left than its digit may be. *)
Fixpoint enough (kinds : list kind) (ns ds : list nat) : Prop :=
  match kinds, ns, ds with
  | [], [], [] => True
  | k :: kinds', n :: ns', d :: ds' => (n <= d)%nat /\ Z.of_nat d < radix k /\ enough kinds' ns' ds'
  | _, _, _ => False
  end.

(* Between the completions of a time costs-to-go are no more than what is left to pay; g after them. *)
Fixpoint paid_batches (D t g : Z) (N : nodes) (kinds : list kind) (ns : list nat) (h : list Z) : Prop :=
  match kinds, ns with
  | k :: kinds', n :: ns' =>
      (forall j, (j < n)%nat -> rest_at N (adds j (code k) (pile kinds' ns' h))
        (g + Z.of_nat j * charge D k t + charges D t kinds' ns')) /\ paid_batches D t g N kinds' ns' h
  | _, _ => True
  end.

Lemma paid_keeps D t g N N' kinds ns h : keeps N N' -> paid_batches D t g N kinds ns h -> paid_batches D t g N' kinds ns h.
Proof.
  intros H. revert ns. induction kinds as [|k kinds IH]; intros [|n ns]; cbn [paid_batches]; auto.
  intros [H1 H2]. split; [|apply IH, H2]. intros j Hj. eapply keeps_rest; [exact H|apply H1, Hj].
Qed.

(* What the completions of a time pay; that they are allowed, and pay their prices at least. *)
Fixpoint dues (D t : Z) (kinds : list kind) (ns ds : list nat) : Z :=
  match kinds, ns, ds with
  | k :: kinds', n :: ns', d :: ds' => spend (due D t k) (Z.of_nat d) n + dues D t kinds' ns' ds'
  | _, _, _ => 0
  end.
Fixpoint pay_enough (D t : Z) (kinds : list kind) (ns ds : list nat) : Prop :=
  match kinds, ns, ds with
  | k :: kinds', n :: ns', d :: ds' =>
      (forall i, (i < n)%nat -> charge D k t <= due D t k (Z.of_nat d - Z.of_nat i)) /\ pay_enough D t kinds' ns' ds'
  | _, _, _ => True
  end.

Lemma dues_least D t kinds : forall ns ds, pay_enough D t kinds ns ds -> length ns = length ds ->
  charges D t kinds ns <= dues D t kinds ns ds.
Proof.
  induction kinds as [|k kinds IH]; intros [|n ns] [|d ds] H Hlen; cbn [charges dues pay_enough length] in *; try lia.
  destruct H as [H1 H2]. specialize (IH ns ds H2 ltac:(lia)).
  pose proof (spend_least (due D t k) (charge D k t) n (Z.of_nat d) H1). lia.
Qed.

Lemma enough_length kinds : forall ns ds, enough kinds ns ds -> length ns = length ds.
Proof.
  induction kinds as [|k kinds IH]; intros [|n ns] [|d ds] H; cbn [enough length] in *; try contradiction; auto.
  f_equal. apply IH, H.
Qed.

Lemma finish_spec D z X t g : forall kinds ns ds u low N h a v,
  placed_batch u kinds -> 0 <= low < u -> enough kinds ns ds -> a = low + u * encode kinds ds ->
  node_at N (pile kinds ns h) a v -> paid_batches D t g N kinds ns h ->
  pay_enough D t kinds ns ds -> v + dues D t kinds ns ds + g <= X ->
  (forall k n, In (k, n) (combine kinds ns) -> z < charge D k t -> n = O) ->
  node_at (finish D z X t kinds N) h (a - u * encode kinds ns) (v + dues D t kinds ns ds).
Proof.
  induction kinds as [|k kinds IH]; intros ns ds u low N h a v Hplaced Hlow Henough Ha Hnode Hpaid Hpay Hv Hdear.
  - cbn [finish pile dues encode] in *. rewrite Z.mul_0_r, Z.sub_0_r, Z.add_0_r. exact Hnode.
  - destruct ns as [|n ns], ds as [|d ds]; cbn [enough] in Henough; try contradiction.
    destruct Henough as (Hnd & Hd & Henough). destruct Hplaced as [Hu Hplaced].
    cbn [finish pile dues encode paid_batches pay_enough] in *. destruct Hpaid as [Hrest Hpaid].
    destruct Hpay as [Hpay Hpays].
    pose proof (dues_least D t kinds ns ds Hpays (enough_length _ _ _ Henough)) as Hothers.
    set (c := due D t k) in *. set (E := encode kinds ds) in *.
    set (f := fun (h0 : KeyMap.key) (x : Z * list node) (N' : nodes) =>
      fewer X k c h0 h0 (snd x) N').
    assert (Hf : forall h x N', keeps N' (f h x N')) by (intros; apply fewer_keeps).
    set (N1 := if charge D k t <=? z then KeyMap.fold f N N else N).
    assert (HN1 : keeps N N1).
    { unfold N1. destruct (_ <=? z); [|apply keeps_refl].
      apply fold_leads; [apply keeps_refl|apply keeps_trans|exact Hf]. }
    assert (Hnode1 : node_at N1 (pile kinds ns h) (a - Z.of_nat n * u) (v + spend c (Z.of_nat d) n)).
    { destruct n as [|n].
      - cbn [adds spend] in *. replace (a - Z.of_nat 0 * u) with a by lia. rewrite Z.add_0_r.
        eapply keeps_node; [exact HN1|exact Hnode].
      - assert (Hc : N1 = KeyMap.fold f N N).
        { unfold N1. destruct (Z.leb_spec (charge D k t) z) as [|Hc]; [reflexivity|].
          specialize (Hdear k (S n) (or_introl eq_refl) Hc). discriminate. }
        destruct Hnode as (rest & l & v' & Hfind & Hin & Hle).
        destruct (fold_reaches keeps keeps_refl keeps_trans f Hf N N _ _ Hfind) as (N' & HN' & Hreach).
        rewrite <- Hc in Hreach. apply (keeps_node _ _ _ _ _ Hreach). unfold f. cbn [snd].
        pose proof (fewer_spec X k c (pile kinds ns h) (S n)
          (adds (S n) (code k) (pile kinds ns h)) l N' a v' (Z.of_nat d)) as H.
        rewrite Hu in H.
        destruct H as (rest2 & l2 & v2 & E1 & E2 & E3).
        + split; [lia|apply adds_length].
        + exact Hin.
        + intros j Hj. specialize (Hrest j Hj). apply (keeps_rest _ _ _ _ HN') in Hrest.
          destruct Hrest as (r & l2 & E1 & E2). exists r, l2. split; [exact E1|].
          pose proof (spend_parts c (S n - j) (Z.of_nat d) j) as Hparts. replace (S n - j + j)%nat with (S n) in Hparts by lia.
          pose proof (spend_least c (charge D k t) j (Z.of_nat d - Z.of_nat (S n - j))) as Hless.
          assert (Z.of_nat j * charge D k t <= spend c (Z.of_nat d - Z.of_nat (S n - j)) j); [|lia].
          apply Hless. intros i Hi. specialize (Hpay (S n - j + i)%nat ltac:(lia)).
          replace (Z.of_nat d - Z.of_nat (S n - j) - Z.of_nat i) with (Z.of_nat d - Z.of_nat (S n - j + i)) by lia. exact Hpay.
        + intros j Hj. rewrite Ha.
          replace (low + u * (Z.of_nat d + radix k * E) - Z.of_nat j * u)
            with (low + (Z.of_nat d - Z.of_nat j + E * radix k) * u) by ring.
          rewrite Z.div_add, (Z.div_small low u) by lia. rewrite Z.add_0_l, Z.mod_add, Z.mod_small by lia. lia.
        + exists rest2, l2, v2. repeat split; auto. lia. }
    replace (a - u * (Z.of_nat n + radix k * encode kinds ns))
      with (a - Z.of_nat n * u - u * radix k * encode kinds ns) by ring.
    rewrite Z.add_assoc.
    apply (IH ns ds (u * radix k) (low + u * (Z.of_nat d - Z.of_nat n))).
    + exact Hplaced.
    + nia.
    + exact Henough.
    + rewrite Ha. fold E. ring.
    + exact Hnode1.
    + apply (paid_keeps _ _ _ N); [exact HN1|exact Hpaid].
    + exact Hpays.
    + lia.
    + intros k' n' Hk'. apply (Hdear k' n'). right. exact Hk'.
Qed.

Lemma advance_rest idle W X N T h v r : batch_entry T h v r -> rest_at (advance_batch idle W X N T) h v.
Proof.
  intros (v' & r' & Hfind & Hv & _). unfold advance_batch, rest_at. rewrite KeyFacts.mapi_o, Hfind.
  - cbn [option_map fst]. eexists _, _. split; [reflexivity|exact Hv].
  - intros x y e E. unfold Key.eq in E. subst. reflexivity.
Qed.

Lemma advance_batch_spec idle W X N T h a v g r : node_at N (before W h) a v -> batch_entry T h g r ->
  idle = true \/ h <> [] -> a <> 0 -> v + g <= X -> node_at (advance_batch idle W X N T) h a v.
Proof.
  intros (rest & l & v' & Hfind & Hin & Hle) (g' & r' & HfindT & Hg & _) Hh Ha HX.
  unfold advance_batch, node_at. rewrite KeyFacts.mapi_o, HfindT.
  - assert (Hgo : negb idle && match h with [] => true | _ => false end = false).
    { destruct Hh as [->|Hh]; [reflexivity|]. destruct h; [contradiction|apply andb_false_r]. }
    cbv beta iota zeta delta [option_map]. rewrite Hfind, Hgo.
    eexists _, _, v'. split; [reflexivity|]. split; [|exact Hle]. apply filter_In. split; [exact Hin|].
    cbn [fst snd]. destruct (Z.eqb_spec a 0); [contradiction|]. cbn [negb andb]. lia.
  - intros x y e E. unfold Key.eq in E. subst. reflexivity.
Qed.

Lemma found_spec X N v : node_at N [] 0 v -> v <= X -> found X N = true.
Proof.
  intros (rest & l & v' & Hfind & Hin & Hle) HX. unfold found. rewrite Hfind. apply existsb_exists.
  exists (0, v'). split; [exact Hin|]. cbn [fst snd]. lia.
Qed.
