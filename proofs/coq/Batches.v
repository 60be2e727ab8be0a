(* The rule "batch-state" of FORMAT.md: its functions, and what they find (batch_state.md).

   A batch is a list of codes, those who run: one with prompt s that has run for j rounds has the
   code j W + s, where W is more than any prompt.  Codes ascend.  Batches of a time are those before its
   completions; in a table each has its cost-to-go and the tokens that are left beside it. *)

From Coq Require Import ZArith List Lia Bool SetoidList.
From Kvopt Require Import Keys.
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

(* A type: the code of who completes, and its tokens; its dual; its place in the number that says how
   many of each type have yet to complete. *)
Record kind := Kind { code : Z; size : Z; dual : Z; unit : Z; radix : Z }.

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
  (* What a completion costs at time t is D t less its dual; those that cost more than the slack z
     are left out. *)
  Context (D z : Z).

  Definition charge (k : kind) (t : Z) : Z := D * t - dual k.

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
Fixpoint completing (k : kind) (c most : Z) (l : list node) : list node :=
  match l with
  | [] => []
  | (a, v) :: rest =>
      if (v + c <=? most) && negb ((a / unit k) mod radix k =? 0)
      then (a - unit k, v + c) :: completing k c most rest
      else completing k c most rest
  end.

(* All completions of one type, from the nodes of one batch; X is what may be spent. *)
Fixpoint fewer (X : Z) (k : kind) (c : Z) (fuel h : list Z) (l : list node) (N : nodes) : nodes :=
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

Fixpoint finish (D z X t : Z) (kinds : list kind) (N : nodes) : nodes :=
  match kinds with
  | [] => N
  | k :: others =>
      let c := charge D k t in
      finish D z X t others
        (if c <=? z then KeyMap.fold (fun h x N' => fewer X k c h h (snd x) N') N N else N)
  end.

(* A round: to each batch come the nodes of the one before; only the empty one stays alone. *)
Definition advance_batch (W X : Z) (N : nodes) (T : batch_table) : nodes :=
  KeyMap.mapi (fun h x =>
      let rest := fst x in
      (rest,
       match h, KeyMap.find (before W h) N with
       | _ :: _, Some (_, l) => filter (fun y => negb (fst y =? 0) && (snd y + rest <=? X)) l
       | _, _ => []
       end)) T.

Definition found (X : Z) (N : nodes) : bool :=
  match KeyMap.find [] N with
  | Some (_, l) => existsb (fun y => (fst y =? 0) && (snd y <=? X)) l
  | None => false
  end.

Definition batch_number (N : nodes) : Z :=
  KeyMap.fold (fun _ x n => n + Z.of_nat (length (snd x))) N 0.

(* Is no schedule found, with few enough nodes?  Tables are those of times t, t + 1, .... *)
Fixpoint none_found (W D z X limit : Z) (kinds : list kind) (t : Z) (later : list batch_table) (N : nodes)
    (looked_at : Z) : bool :=
  match later with
  | [] => true
  | T :: later' =>
      let N' := finish D z X t kinds (advance_batch W X N T) in
      let n := looked_at + batch_number N' in
      negb (found X N' || (limit <? n)) && none_found W D z X limit kinds (t + 1) later' N' n
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

Lemma completing_spec k c most l a v : In (a, v) l -> v + c <= most -> (a / unit k) mod radix k <> 0 ->
  In (a - unit k, v + c) (completing k c most l).
Proof.
  intros Hin Hc Hleft. induction l as [|[b x] l IH]; [destruct Hin|]. cbn [completing].
  destruct Hin as [H|Hin].
  - inversion H. subst. destruct (Z.leb_spec (v + c) most); [|lia].
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

Lemma fewer_spec X k c h : forall n fuel l N a v, (1 <= n <= length fuel)%nat -> In (a, v) l ->
  (forall j, (j < n)%nat -> rest_at N (adds j (code k) h) (X - v - (Z.of_nat n - Z.of_nat j) * c)) ->
  (forall j, (j < n)%nat -> ((a - Z.of_nat j * unit k) / unit k) mod radix k <> 0) ->
  node_at (fewer X k c fuel (adds n (code k) h) l N) h (a - Z.of_nat n * unit k) (v + Z.of_nat n * c).
Proof.
  induction n as [|n IH]; intros fuel l N a v Hn Hin Hrest Hleft; [lia|].
  destruct fuel as [|y0 fuel]; [cbn [length] in Hn; lia|]. cbn [length] in Hn. cbn [fewer adds].
  destruct l as [|y l]; [destruct Hin|]. rewrite remove_insert.
  destruct (Hrest n ltac:(lia)) as (rest & there & Hfind & Hle). rewrite Hfind.
  set (l' := completing k c (X - rest) (y :: l)).
  assert (Hin' : In (a - unit k, v + c) l').
  { apply completing_spec; [exact Hin|lia|]. specialize (Hleft O ltac:(lia)).
    replace (a - Z.of_nat 0 * unit k) with a in Hleft by lia. exact Hleft. }
  destruct n as [|n].
  - cbn [adds] in *. eapply keeps_node; [apply fewer_keeps|].
    destruct (merge_spec l' there _ _ (or_introl Hin')) as (v' & Hv' & Hm).
    exists rest, (merge l' there), v'. rewrite KeyFacts.add_eq_o by reflexivity.
    replace (a - Z.of_nat 1 * unit k) with (a - unit k) by lia. repeat split; auto; lia.
  - replace (a - Z.of_nat (S (S n)) * unit k) with (a - unit k - Z.of_nat (S n) * unit k) by lia.
    replace (v + Z.of_nat (S (S n)) * c) with (v + c + Z.of_nat (S n) * c) by lia.
    apply IH; [lia|exact Hin'| |].
    + intros j Hj. eapply keeps_rest; [apply keeps_add, Hfind|].
      replace (X - (v + c) - (Z.of_nat (S n) - Z.of_nat j) * c)
        with (X - v - (Z.of_nat (S (S n)) - Z.of_nat j) * c) by lia. apply Hrest. lia.
    + intros j Hj. specialize (Hleft (S j) ltac:(lia)).
      replace (a - unit k - Z.of_nat j * unit k) with (a - Z.of_nat (S j) * unit k) by lia. exact Hleft.
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

Lemma finish_spec D z X t g : forall kinds ns ds u low N h a v,
  placed_batch u kinds -> 0 <= low < u -> enough kinds ns ds -> a = low + u * encode kinds ds ->
  node_at N (pile kinds ns h) a v -> paid_batches D t g N kinds ns h -> v + charges D t kinds ns + g <= X ->
  (forall k n, In (k, n) (combine kinds ns) -> z < charge D k t -> n = O) ->
  node_at (finish D z X t kinds N) h (a - u * encode kinds ns) (v + charges D t kinds ns).
Proof.
  induction kinds as [|k kinds IH]; intros ns ds u low N h a v Hplaced Hlow Henough Ha Hnode Hpaid Hv Hdear.
  - cbn [finish pile charges encode] in *. rewrite Z.mul_0_r, Z.sub_0_r, Z.add_0_r. exact Hnode.
  - destruct ns as [|n ns], ds as [|d ds]; cbn [enough] in Henough; try contradiction.
    destruct Henough as (Hnd & Hd & Henough). destruct Hplaced as [Hu Hplaced].
    cbn [finish pile charges encode paid_batches] in *. destruct Hpaid as [Hrest Hpaid].
    set (c := charge D k t) in *. set (E := encode kinds ds) in *.
    set (f := fun (h0 : KeyMap.key) (x : Z * list node) (N' : nodes) =>
      fewer X k c h0 h0 (snd x) N').
    assert (Hf : forall h x N', keeps N' (f h x N')) by (intros; apply fewer_keeps).
    set (N1 := if c <=? z then KeyMap.fold f N N else N).
    assert (HN1 : keeps N N1).
    { unfold N1. destruct (c <=? z); [|apply keeps_refl].
      apply fold_leads; [apply keeps_refl|apply keeps_trans|exact Hf]. }
    assert (Hnode1 : node_at N1 (pile kinds ns h) (a - Z.of_nat n * u) (v + Z.of_nat n * c)).
    { destruct n as [|n].
      - cbn [adds] in Hnode. replace (a - Z.of_nat 0 * u) with a by lia.
        replace (v + Z.of_nat 0 * c) with v by lia. eapply keeps_node; [exact HN1|exact Hnode].
      - assert (Hc : N1 = KeyMap.fold f N N).
        { unfold N1. destruct (Z.leb_spec c z) as [|Hc]; [reflexivity|].
          specialize (Hdear k (S n) (or_introl eq_refl) Hc). discriminate. }
        destruct Hnode as (rest & l & v' & Hfind & Hin & Hle).
        destruct (fold_reaches keeps keeps_refl keeps_trans f Hf N N _ _ Hfind) as (N' & HN' & Hreach).
        rewrite <- Hc in Hreach. apply (keeps_node _ _ _ _ _ Hreach). unfold f. cbn [snd].
        pose proof (fewer_spec X k c (pile kinds ns h) (S n)
          (adds (S n) (code k) (pile kinds ns h)) l N' a v') as H.
        rewrite Hu in H.
        destruct H as (rest2 & l2 & v2 & E1 & E2 & E3).
        + split; [lia|apply adds_length].
        + exact Hin.
        + intros j Hj. specialize (Hrest j Hj). apply (keeps_rest _ _ _ _ HN') in Hrest.
          destruct Hrest as (r & l2 & E1 & E2). exists r, l2. split; [exact E1|]. nia.
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
    + lia.
    + intros k' n' Hk'. apply (Hdear k' n'). right. exact Hk'.
Qed.

Lemma advance_rest W X N T h v r : batch_entry T h v r -> rest_at (advance_batch W X N T) h v.
Proof.
  intros (v' & r' & Hfind & Hv & _). unfold advance_batch, rest_at. rewrite KeyFacts.mapi_o, Hfind.
  - cbn [option_map fst]. eexists _, _. split; [reflexivity|exact Hv].
  - intros x y e E. unfold Key.eq in E. subst. reflexivity.
Qed.

Lemma advance_batch_spec W X N T h a v g r : node_at N (before W h) a v -> batch_entry T h g r -> h <> [] -> a <> 0 ->
  v + g <= X -> node_at (advance_batch W X N T) h a v.
Proof.
  intros (rest & l & v' & Hfind & Hin & Hle) (g' & r' & HfindT & Hg & _) Hh Ha HX.
  unfold advance_batch, node_at. rewrite KeyFacts.mapi_o, HfindT.
  - destruct h as [|e h]; [contradiction|]. cbv beta iota zeta delta [option_map]. rewrite Hfind.
    eexists _, _, v'. split; [reflexivity|]. split; [|exact Hle]. apply filter_In. split; [exact Hin|].
    cbn [fst snd]. destruct (Z.eqb_spec a 0); [contradiction|]. cbn [negb andb]. lia.
  - intros x y e E. unfold Key.eq in E. subst. reflexivity.
Qed.

Lemma found_spec X N v : node_at N [] 0 v -> v <= X -> found X N = true.
Proof.
  intros (rest & l & v' & Hfind & Hin & Hle) HX. unfold found. rewrite Hfind. apply existsb_exists.
  exists (0, v'). split; [exact Hin|]. cbn [fst snd]. lia.
Qed.
