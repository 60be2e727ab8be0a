(* The rule "batch-state" of FORMAT.md: its functions, and what they find (batch_state.md).

   Batches of a time are those before its completions.  They have numbers (BatchGraph.v); a table has the cost-to-go of
   each, and nodes of the search are those of each: how many of each type have yet to complete, and the cost so far. *)

From Coq Require Import ZArith List Lia Bool FMapPositive.
From Kvopt Require Import Keys Released Vectors BatchGraph.
Import ListNotations.
Open Scope Z_scope.

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

(* What a completion costs at time t is D t less its price. *)
Definition charge (D : Z) (k : kind) (t : Z) : Z := cost_with D t (price k t).
Definition due (D t : Z) (k : kind) (m : Z) : Z := cost_with D t (owed k t m).

(* --- Costs-to-go ------------------------------------------------------------------------- *)

(* By number; `beyond` is more than any path costs, and stands for those that do not go on. *)
Definition batch_table := vector Z.
Definition beyond : Z := 2 ^ 61.
Definition rest_of (T : batch_table) (i : Z) : Z := at_place beyond T i.

Fixpoint least_next (T : batch_table) (best : Z) (l : list Z) : Z :=
  match l with
  | [] => best
  | i :: rest => let v := rest_of T i in least_next T (if v <? best then v else best) rest
  end.
Fixpoint least_smaller (costs : vector (option Z)) (T : batch_table) (best : Z) (l : list (Z * Z)) : Z :=
  match l with
  | [] => best
  | (m, i) :: rest =>
      match at_place None costs m with
      | None => least_smaller costs T best rest
      | Some c => let v := c + rest_of T i in least_smaller costs T (if v <? best then v else best) rest
      end
  end.

Section Steps.
  (* Completions that cost more than the slack z are left out. *)
  Context (D z : Z) (kinds : list kind) (G : batch_graph).

  Definition charge_of_each (t : Z) : vector (option Z) :=
    Vector (map (fun k => let c := charge D k t in if c <=? z then Some c else None) kinds).

  (* The table of time t, from that of t + 1. *)
  Definition table_before (t : Z) (T : batch_table) : batch_table :=
    let costs := charge_of_each t in
    build beyond (at_place 0 (reach G) t) (fun below i =>
      least_smaller costs below (least_next T beyond (at_place [] (nexts G) i)) (at_place [] (smaller G) i)).

  (* The tables of times 1, 2, ..., before those that are there, and the first of all. *)
  Fixpoint batch_tables (t : nat) (T : batch_table) (later : list batch_table) : list batch_table * batch_table :=
    match t with
    | O => (later, T)
    | S t' => let T' := table_before (Z.of_nat t) T in batch_tables t' T' (T' :: later)
    end.
End Steps.

(* --- The search -------------------------------------------------------------------------- *)

(* How many batches may be there, and the nodes of each, the largest number first. *)
Definition node : Type := Z * Z.
Definition nodes : Type := Z * vector (list node).
Definition nodes_of (N : nodes) (i : Z) : list node := at_place [] (snd N) (fst N - 1 - i).

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
Fixpoint completing (k : kind) (dues : vector Z) (most : Z) (l : list node) : list node :=
  match l with
  | [] => []
  | (a, v) :: rest =>
      let m := (a / unit k) mod radix k in
      let v' := v + at_place never dues m in
      if (v' <=? most) && negb (m =? 0)
      then (a - unit k, v') :: completing k dues most rest
      else completing k dues most rest
  end.

Section Search.
  (* X is what may be spent. *)
  Context (D z X : Z) (kinds : list kind) (G : batch_graph).

  (* Of each type what completions pay at time t, by how many are left, unless they cost too much. *)
  Definition dues_at (t : Z) : vector (option (kind * vector Z)) :=
    Vector (map (fun k => if charge D k t <=? z then Some (k, tabulate (radix k) (due D t k)) else None) kinds).

  (* After a round, with the table of its end: to the empty batch, the root, come no nodes unless the round may be idle. *)
  Definition advanced (idle : bool) (T : batch_table) (N : nodes) (i : Z) : list node :=
    if negb idle && (i =? root G) then []
    else
      let most := X - rest_of T i in
      filter (fun y => negb (fst y =? 0) && (snd y <=? most))
        (fold_left (fun l b => merge (nodes_of N b) l) (at_place [] (priors G) i) []).

  Definition completed (dues : vector (option (kind * vector Z))) (T : batch_table) (above : nodes) (i : Z)
      (l : list node) (y : Z * Z) : list node :=
    match nodes_of above (snd y), at_place None dues (fst y) with
    | (_ :: _) as there, Some (k, d) => merge (completing k d (X - rest_of T i) there) l
    | _, _ => l
    end.

  Definition nodes_after (idle : bool) (t : Z) (T : batch_table) (N : nodes) : nodes :=
    let dues := dues_at t in
    let n := at_place 0 (reach G) t in
    (n, build [] n (fun above p =>
      let i := n - 1 - p in
      fold_left (completed dues T (n, above) i) (at_place [] (larger G) i) (advanced idle T N i))).

  Definition found (N : nodes) : bool :=
    existsb (fun y => (fst y =? 0) && (snd y <=? X)) (nodes_of N (root G)).

  Definition node_number (N : nodes) : Z :=
    match snd N with Vector l => fold_left (fun n y => n + Z.of_nat (length y)) l 0 end.

  (* Is no schedule found, with few enough nodes?  Tables are those of times t, t + 1, ...; rounds up to the last
     release A may be idle. *)
  Fixpoint none_found (A limit t : Z) (later : list batch_table) (N : nodes) (looked_at : Z) : bool :=
    match later with
    | [] => true
    | T :: later' =>
        let N' := nodes_after (t <=? A) t T N in
        let n := looked_at + node_number N' in
        negb (found N' || (limit <? n)) && none_found A limit (t + 1) later' N' n
    end.
End Search.

(* --- Proofs: batches --------------------------------------------------------------------- *)

(* n more with the same code. *)
Fixpoint adds (n : nat) (e : Z) (h : list Z) : list Z :=
  match n with O => h | S n' => insert_code e (adds n' e h) end.

Lemma adds_insert n e h : adds n e (insert_code e h) = adds (S n) e h.
Proof. induction n as [|n IH]; cbn [adds] in *; [reflexivity|]. rewrite IH. reflexivity. Qed.

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

(* A completing run has its tokens. *)
Definition proper (W : Z) (kinds : list kind) : Prop :=
  forall k, In k kinds -> code k / W + code k mod W = size k /\ 1 <= size k.

Lemma tokens_adds W k n h : code k / W + code k mod W = size k ->
  tokens_of W (adds n (code k) h) = Z.of_nat n * size k + tokens_of W h.
Proof. intros H. induction n as [|n IH]; cbn [adds]; [lia|]. rewrite tokens_insert, IH, H, Nat2Z.inj_succ, Z.mul_succ_l. ring. Qed.

Lemma tokens_pile W kinds : proper W kinds -> forall ns h,
  tokens_of W (pile kinds ns h) = batch_tokens kinds ns + tokens_of W h.
Proof.
  induction kinds as [|k kinds IH]; intros Hp [|n ns] h; cbn [pile batch_tokens]; try lia.
  rewrite tokens_adds by apply (Hp k (or_introl eq_refl)). rewrite IH by (intros x Hx; apply Hp; right; exact Hx). lia.
Qed.

(* --- Proofs: costs-to-go ----------------------------------------------------------------- *)

Lemma least_next_spec T l : forall best, least_next T best l <= best /\
  forall i, In i l -> least_next T best l <= rest_of T i.
Proof.
  induction l as [|a l IH]; intros best; cbn [least_next]; [split; [lia|intros i []]|]. cbv zeta.
  set (w := if rest_of T a <? best then _ else _).
  assert (Hw : w <= best /\ w <= rest_of T a) by (unfold w; destruct (Z.ltb_spec (rest_of T a) best); lia).
  destruct (IH w) as [H1 H2]. split; [lia|]. intros i [<-|Hi]; [lia|apply H2, Hi].
Qed.

Lemma least_smaller_spec costs T l : forall best, least_smaller costs T best l <= best /\
  forall m i c, In (m, i) l -> at_place None costs m = Some c -> least_smaller costs T best l <= c + rest_of T i.
Proof.
  induction l as [|[m0 a] l IH]; intros best; cbn [least_smaller]; [split; [lia|intros m i c []]|].
  destruct (at_place None costs m0) as [c0|] eqn:E.
  - cbv zeta. set (w := if c0 + rest_of T a <? best then _ else _).
    assert (Hw : w <= best /\ w <= c0 + rest_of T a) by (unfold w; destruct (Z.ltb_spec (c0 + rest_of T a) best); lia).
    destruct (IH w) as [H1 H2]. split; [lia|]. intros m i c [H|H] Hc; [|apply (H2 m i c H Hc)].
    inversion H. subst m0 a. rewrite E in Hc. inversion Hc. subst c0. lia.
  - destruct (IH best) as [H1 H2]. split; [exact H1|]. intros m i c [H|H] Hc; [|apply (H2 m i c H Hc)].
    inversion H. subst m0 a. congruence.
Qed.

(* --- Proofs: nodes ----------------------------------------------------------------------- *)

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

Lemma completing_spec k dues most l a v : let m := (a / unit k) mod radix k in let c := at_place never dues m in
  In (a, v) l -> v + c <= most -> m <> 0 -> In (a - unit k, v + c) (completing k dues most l).
Proof.
  intros m c Hin Hc Hleft. unfold m, c in *. induction l as [|[b x] l IH]; [destruct Hin|]. cbn [completing]. cbv zeta.
  destruct Hin as [H|Hin].
  - inversion H. subst. destruct (Z.leb_spec (v + at_place never dues ((a / unit k) mod radix k)) most) as [|Hlt]; [|apply Z.lt_nge in Hlt; contradiction].
    destruct (Z.eqb_spec ((a / unit k) mod radix k) 0); [contradiction|]. left. reflexivity.
  - destruct (_ && _); [right|]; apply IH, Hin.
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

Section Numbered.
  Context (M W D z top : Z) (kinds : list kind) (ts bounds : vector Z) (F : numbers_of_batches) (number : Z) (G : batch_graph).
  Context (HG : graph_of M W D z top kinds ts bounds F number = Some G) (Hproper : proper W kinds).
  Let late_of := late_of F G.

  Lemma late_adds t m k h n : nth_error kinds m = Some k -> tokens_of W h + Z.of_nat n * size k <= M ->
    1 <= t <= late_of h -> (n <> O -> t <= last_completion D z k) -> t <= late_of (adds n (code k) h).
  Proof.
    intros Hm. destruct (Hproper k (nth_error_In _ _ Hm)) as [Hcode Hsize].
    induction n as [|n IH]; intros Hfit Ht Hk; cbn [adds]; [apply Ht|]. specialize (Hk ltac:(lia)).
    apply (late_more _ _ _ _ _ _ _ _ _ _ _ HG _ t m k Hm); [rewrite tokens_adds by exact Hcode; nia| |exact Hk].
    split; [lia|]. apply IH; [nia|exact Ht|auto].
  Qed.

  Lemma late_pile t h : 1 <= t <= late_of h -> forall ks first, kinds = first ++ ks -> forall ns,
    tokens_of W h + batch_tokens ks ns <= M -> (forall k n, In (k, n) (combine ks ns) -> n <> O -> t <= last_completion D z k) ->
    t <= late_of (pile ks ns h).
  Proof.
    intros Ht ks. induction ks as [|k ks IH]; intros first Hks ns Hfit Hsoon; [apply Ht|].
    destruct ns as [|n ns]; cbn [pile batch_tokens] in *; [apply Ht|].
    assert (Hk : nth_error kinds (length first) = Some k).
    { rewrite Hks, nth_error_app2, Nat.sub_diag by lia. reflexivity. }
    destruct (Hproper k (nth_error_In _ _ Hk)) as [Hcode Hsize].
    assert (Hproper' : proper W ks) by (intros x Hx; apply Hproper; rewrite Hks; apply in_or_app; right; right; exact Hx).
    apply (late_adds t (length first) k _ n Hk); [rewrite tokens_pile by exact Hproper'; lia| |apply Hsoon; left; reflexivity].
    split; [lia|]. apply (IH (first ++ [k])); [rewrite <- app_assoc; exact Hks|nia|].
    intros k' n' H. apply Hsoon. right. exact H.
  Qed.

  (* A batch has a number, and there no more than this cost. *)
  Definition batch_entry (T : batch_table) (h : list Z) (v : Z) : Prop :=
    exists i, KeyMap.find h F = Some i /\ rest_of T i <= v.

  Lemma entry_range h i : KeyMap.find h F = Some i -> 0 <= i < how_many G.
  Proof. intros H. destruct (graph_root _ _ _ _ _ _ _ _ _ _ _ HG) as (_ & -> & _). exact (proj1 (batch_links _ _ _ _ _ _ _ _ _ _ _ HG h i H)). Qed.

  Lemma there h i t : KeyMap.find h F = Some i -> 1 <= t <= late_of h -> 0 <= i < at_place 0 (reach G) t.
  Proof.
    intros H Ht. destruct (batch_links _ _ _ _ _ _ _ _ _ _ _ HG h i H) as (H1 & _ & _ & _ & H2).
    unfold late_of, BatchGraph.late_of in Ht. rewrite H in Ht. specialize (H2 t ltac:(lia)). lia.
  Qed.

  Lemma entry_before t T h v : 1 <= t <= late_of (before W h) -> batch_entry T h v -> batch_entry (table_before D z kinds G t T) (before W h) v.
  Proof.
    intros Ht (i & Hi & Hv). destruct (batch_links _ _ _ _ _ _ _ _ _ _ _ HG h i Hi) as (_ & _ & [_ Hall] & _).
    destruct (late_number _ _ _ t ltac:(split; [|apply Ht]; lia)) as (b & Hb & _). destruct (Hall b Hb) as (_ & Hnext & _).
    exists b. split; [exact Hb|]. unfold table_before, rest_of at 1.
    destruct (at_build beyond (at_place 0 (reach G) t) (fun below i =>
      least_smaller (charge_of_each D z kinds t) below (least_next T beyond (at_place [] (nexts G) i)) (at_place [] (smaller G) i)) b
      (there _ _ _ Hb Ht)) as (below & -> & _).
    eapply Z.le_trans; [apply least_smaller_spec|]. eapply Z.le_trans; [apply least_next_spec, Hnext|exact Hv].
  Qed.

  Lemma cost_at t m k : nth_error kinds m = Some k -> charge D k t <= z ->
    at_place None (charge_of_each D z kinds t) (Z.of_nat m) = Some (charge D k t).
  Proof.
    intros Hm Hc. unfold charge_of_each. cbn [at_place]. destruct (Z.leb_spec 0 (Z.of_nat m)); [|lia]. rewrite Nat2Z.id.
    apply nth_error_nth. erewrite map_nth_error by exact Hm. cbv zeta. destruct (Z.leb_spec (charge D k t) z); [reflexivity|lia].
  Qed.

  Lemma entry_more t T h v m k : nth_error kinds m = Some k -> charge D k t <= z -> tokens_of W h + size k <= M ->
    1 <= t <= late_of (insert_code (code k) h) ->
    let T' := table_before D z kinds G t T in
    batch_entry T' h v -> batch_entry T' (insert_code (code k) h) (v + charge D k t).
  Proof.
    intros Hm Hc Hfit Ht T' (i & Hi & Hv).
    destruct (batch_links _ _ _ _ _ _ _ _ _ _ _ HG h i Hi) as (Hi0 & _ & _ & Hmore & _).
    destruct (late_number _ _ _ t ltac:(split; [|apply Ht]; lia)) as (j & Hj & _).
    destruct (proj2 (Hmore m k Hm Hfit) j Hj) as (Hij & _ & Hsmaller & _). exists j. split; [exact Hj|].
    pose proof (there _ _ _ Hj Ht) as Hrange. unfold T' at 1, table_before, rest_of.
    destruct (at_build beyond (at_place 0 (reach G) t) (fun below i =>
      least_smaller (charge_of_each D z kinds t) below (least_next T beyond (at_place [] (nexts G) i)) (at_place [] (smaller G) i)) j Hrange)
      as (below & -> & Hbelow).
    eapply Z.le_trans; [apply (proj2 (least_smaller_spec _ _ _ _) _ _ _ Hsmaller (cost_at t m k Hm Hc))|].
    unfold rest_of. rewrite Hbelow by lia. unfold T', rest_of, table_before in Hv. lia.
  Qed.

  (* Whatever completes at t, at a cost of z at most each. *)
  Lemma entry_pile t T h v : let T' := table_before D z kinds G t T in batch_entry T' h v ->
    forall ks first, kinds = first ++ ks -> forall ns, tokens_of W h + batch_tokens ks ns <= M ->
    1 <= t <= late_of h -> (forall k c, In (k, c) (combine ks ns) -> c <> O -> t <= last_completion D z k) ->
    (forall k c, In (k, c) (combine ks ns) -> z < charge D k t -> c = O) ->
    batch_entry T' (pile ks ns h) (v + charges D t ks ns).
  Proof.
    intros T' Hentry ks. induction ks as [|k ks IH]; intros first Hks ns Hfit Ht Hsoon Hdear.
    - cbn [pile charges]. rewrite Z.add_0_r. exact Hentry.
    - destruct ns as [|c ns]; cbn [pile charges batch_tokens] in *; [rewrite Z.add_0_r; exact Hentry|].
      assert (Hin : In k kinds) by (rewrite Hks; apply in_or_app; right; left; reflexivity).
      destruct (Hproper k Hin) as [Hcode Hsize].
      assert (Hrest : batch_entry T' (pile ks ns h) (v + charges D t ks ns)).
      { apply (IH (first ++ [k])); [rewrite <- app_assoc; exact Hks|nia|exact Ht| |].
        { intros k' c' H. apply Hsoon. right. exact H. }
        intros k' c' H. apply Hdear. right. exact H. }
      assert (Hk : nth_error kinds (length first) = Some k).
      { rewrite Hks, nth_error_app2, Nat.sub_diag by lia. reflexivity. }
      assert (Hproper' : proper W ks) by (intros x Hx; apply Hproper; rewrite Hks; apply in_or_app; right; right; exact Hx).
      destruct (Z.le_gt_cases (charge D k t) z) as [Hc|Hc].
      + assert (H : forall b, (b <= c)%nat -> batch_entry T' (adds b (code k) (pile ks ns h)) (v + charges D t ks ns + Z.of_nat b * charge D k t)).
        { induction b as [|b IHb]; intros Hb; cbn [adds]; [rewrite Z.mul_0_l, Z.add_0_r; exact Hrest|].
          replace (v + charges D t ks ns + Z.of_nat (S b) * charge D k t)
            with (v + charges D t ks ns + Z.of_nat b * charge D k t + charge D k t) by lia.
          apply (entry_more t T _ _ (length first) k Hk Hc); [| |apply IHb; lia].
          - rewrite tokens_adds, tokens_pile by assumption. nia.
          - split; [lia|]. change (insert_code (code k) (adds b (code k) (pile ks ns h)))
              with (adds (S b) (code k) (pile ks ns h)).
            apply (late_adds t (length first) k _ (S b) Hk); [rewrite tokens_pile by assumption; nia| |].
            + split; [lia|]. apply (late_pile t h Ht ks (first ++ [k])); [rewrite <- app_assoc; exact Hks|nia|].
              intros k' c' H. apply Hsoon. right. exact H.
            + intros _. apply (Hsoon k c (or_introl eq_refl)). lia. }
        specialize (H c (le_n c)). replace (v + (Z.of_nat c * charge D k t + charges D t ks ns))
          with (v + charges D t ks ns + Z.of_nat c * charge D k t) by lia. exact H.
      + rewrite (Hdear k c (or_introl eq_refl) ltac:(lia)). cbn [adds].
        replace (v + (Z.of_nat 0 * charge D k t + charges D t ks ns)) with (v + charges D t ks ns) by lia. exact Hrest.
  Qed.

  (* --- The search --- *)

  Definition node_at (N : nodes) (h : list Z) (a v : Z) : Prop :=
    exists i v', KeyMap.find h F = Some i /\ In (a, v') (nodes_of N i) /\ v' <= v.


  Section After.
    Context (X t : Z) (idle : bool) (T : batch_table) (N : nodes).
    Let N' := nodes_after D z X kinds G idle t T N.

    Lemma nodes_spec i : 0 <= i < at_place 0 (reach G) t -> exists above,
      nodes_of N' i = fold_left (completed X (dues_at D z kinds t) T above i) (at_place [] (larger G) i)
        (advanced X G idle T N i) /\
      forall j, i < j < at_place 0 (reach G) t -> nodes_of above j = nodes_of N' j.
    Proof.
      set (n := at_place 0 (reach G) t). intros Hi.
      set (f := fun above p => fold_left (completed X (dues_at D z kinds t) T (n, above) (n - 1 - p))
        (at_place [] (larger G) (n - 1 - p)) (advanced X G idle T N (n - 1 - p))).
      destruct (at_build [] n f (n - 1 - i)) as (above & E & Hbelow); [lia|].
      exists (n, above). split.
      - change (nodes_of N' i) with (at_place [] (build [] n f) (n - 1 - i)). rewrite E. unfold f.
        replace (n - 1 - (n - 1 - i)) with i by lia. reflexivity.
      - intros j Hj. apply (Hbelow (n - 1 - j)). lia.
    Qed.

    Lemma completed_one dues above i l y a v : In (a, v) l ->
      exists v', v' <= v /\ In (a, v') (completed X dues T above i l y).
    Proof.
      intros H. unfold completed. destruct (nodes_of above (snd y)) as [|x there]; [exists v; split; [lia|exact H]|].
      destruct (at_place None dues (fst y)) as [[k d]|]; [|exists v; split; [lia|exact H]].
      apply merge_spec. right. exact H.
    Qed.

    Lemma completed_keeps dues above i ys : forall l a v, In (a, v) l ->
      exists v', v' <= v /\ In (a, v') (fold_left (completed X dues T above i) ys l).
    Proof.
      induction ys as [|y ys IH]; intros l a v H; cbn [fold_left]; [exists v; split; [lia|exact H]|].
      destruct (completed_one dues above i l y a v H) as (v1 & H1 & H2).
      destruct (IH _ _ _ H2) as (v2 & H3 & H4). exists v2. split; [lia|exact H4].
    Qed.

    Lemma completed_adds dues above i ys m j k d a v : In (m, j) ys -> at_place None dues m = Some (k, d) ->
      let left := (a / unit k) mod radix k in let c := at_place never d left in
      In (a, v) (nodes_of above j) -> v + c <= X - rest_of T i -> left <> 0 ->
      forall l, exists v', v' <= v + c /\ In (a - unit k, v') (fold_left (completed X dues T above i) ys l).
    Proof.
      intros Hy Hm left c Hin Hc Hleft. induction ys as [|y ys IH]; intros l; [destruct Hy|]. cbn [fold_left].
      destruct Hy as [->|Hy]; [|apply IH, Hy].
      assert (H : exists v', v' <= v + c /\ In (a - unit k, v') (completed X dues T above i l (m, j))).
      { unfold completed. cbn [fst snd]. rewrite Hm. destruct (nodes_of above j) as [|x there] eqn:E; [destruct Hin|].
        rewrite <- E in *. apply merge_spec. left. apply completing_spec; assumption. }
      destruct H as (v1 & H1 & H2). destruct (completed_keeps dues above i ys _ _ _ H2) as (v2 & H3 & H4).
      exists v2. split; [lia|exact H4].
    Qed.

    Lemma merged_in bs b a v : In b bs -> In (a, v) (nodes_of N b) -> forall l,
      exists v', v' <= v /\ In (a, v') (fold_left (fun l b => merge (nodes_of N b) l) bs l).
    Proof.
      assert (Hkeep : forall cs l a v, In (a, v) l ->
          exists v', v' <= v /\ In (a, v') (fold_left (fun l b => merge (nodes_of N b) l) cs l)).
      { induction cs as [|x cs IH]; intros l a' v' H; cbn [fold_left]; [exists v'; split; [lia|exact H]|].
        destruct (merge_spec (nodes_of N x) l a' v' (or_intror H)) as (v1 & H1 & H2).
        destruct (IH _ _ _ H2) as (v2 & H3 & H4). exists v2. split; [lia|exact H4]. }
      intros Hb Hin. induction bs as [|x bs IH]; intros l; [destruct Hb|]. cbn [fold_left].
      destruct Hb as [->|Hb]; [|apply IH, Hb].
      destruct (merge_spec (nodes_of N b) l a v (or_introl Hin)) as (v1 & H1 & H2).
      destruct (Hkeep bs _ _ _ H2) as (v2 & H3 & H4). exists v2. split; [lia|exact H4].
    Qed.

    Lemma advanced_spec h a v g : node_at N (before W h) a v -> batch_entry T h g ->
      idle = true \/ h <> [] -> a <> 0 -> v + g <= X -> 1 <= t <= late_of h -> node_at N' h a v.
    Proof.
      intros (b & v0 & Hb & Hin & Hv0) (i & Hi & Hg) Hidle Ha HX Ht.
      destruct (batch_links _ _ _ _ _ _ _ _ _ _ _ HG h i Hi) as (_ & Hroot & [_ Hall] & _).
      destruct (Hall b Hb) as (_ & _ & Hprior & _).
      destruct (merged_in _ b a v0 Hprior Hin []) as (v1 & Hv1 & Hin1).
      assert (Hadv : In (a, v1) (advanced X G idle T N i)).
      { unfold advanced. replace (negb idle && (i =? root G)) with false.
        - apply filter_In. split; [exact Hin1|]. cbn [fst snd]. destruct (Z.eqb_spec a 0); [contradiction|]. cbn [negb andb]. lia.
        - destruct Hidle as [->|Hh]; [reflexivity|]. destruct Hroot as [->|Hr]; [contradiction|].
          destruct (Z.eqb_spec i (root G)); [contradiction|]. destruct idle; reflexivity. }
      destruct (nodes_spec i (there h i t Hi Ht)) as (above & E & _).
      destruct (completed_keeps (dues_at D z kinds t) above i (at_place [] (larger G) i) _ _ _ Hadv) as (v2 & Hv2 & Hin2).
      exists i, v2. split; [exact Hi|]. rewrite E. split; [exact Hin2|lia].
    Qed.

    Lemma one_less m k h a v g : nth_error kinds m = Some k -> charge D k t <= z -> tokens_of W h + size k <= M ->
      batch_entry T h g -> node_at N' (insert_code (code k) h) a v ->
      let left := (a / unit k) mod radix k in 0 < left < radix k -> v + due D t k left + g <= X ->
      1 <= t <= late_of (insert_code (code k) h) ->
      node_at N' h (a - unit k) (v + due D t k left).
    Proof.
      intros Hm Hc Hfit (i & Hi & Hg) (j & v0 & Hj & Hin & Hv0) left Hleft HX Ht.
      destruct (batch_links _ _ _ _ _ _ _ _ _ _ _ HG h i Hi) as (Hi0 & _ & _ & Hmore & _).
      destruct (proj2 (Hmore m k Hm Hfit) j Hj) as (Hij & Hlarger & _).
      pose proof (there _ _ _ Hj Ht) as Hjt.
      destruct (nodes_spec i) as (above & E & Habove); [lia|]. rewrite <- (Habove j) in Hin by lia.
      assert (Hd : at_place None (dues_at D z kinds t) (Z.of_nat m) = Some (k, tabulate (radix k) (due D t k))).
      { unfold dues_at. cbn [at_place]. destruct (Z.leb_spec 0 (Z.of_nat m)); [|lia]. rewrite Nat2Z.id.
        apply nth_error_nth. erewrite map_nth_error by exact Hm. destruct (Z.leb_spec (charge D k t) z); [reflexivity|lia]. }
      assert (Edue : at_place never (tabulate (radix k) (due D t k)) left = due D t k left) by (apply at_tabulate; lia).
      destruct (completed_adds _ above i _ _ j k _ a v0 Hlarger Hd Hin) with (l := advanced X G idle T N i) as (v1 & Hv1 & Hin1).
      - fold left. rewrite Edue. lia.
      - fold left. lia.
      - fold left in Hv1. rewrite Edue in Hv1. exists i, v1. split; [exact Hi|]. rewrite E. split; [exact Hin1|lia].
    Qed.

    Lemma some_less m k h : nth_error kinds m = Some k -> charge D k t <= z -> let c := due D t k in
      forall n a v left, tokens_of W h + Z.of_nat n * size k <= M -> node_at N' (adds n (code k) h) a v ->
      (forall j, (j < n)%nat -> batch_entry T (adds j (code k) h) (X - v - spend c left (n - j))) ->
      (forall j, (j < n)%nat -> ((a - Z.of_nat j * unit k) / unit k) mod radix k = left - Z.of_nat j
        /\ 0 < left - Z.of_nat j < radix k) ->
      1 <= t <= late_of h -> t <= last_completion D z k ->
      node_at N' h (a - Z.of_nat n * unit k) (v + spend c left n).
    Proof.
      intros Hm Hc c. destruct (Hproper k (nth_error_In _ _ Hm)) as [Hcode Hsize].
      induction n as [|n IH]; intros a v left Hfit Hnode Hrest Hleft Ht Hk.
      - cbn [adds spend] in *. rewrite Z.mul_0_l, Z.sub_0_r, Z.add_0_r. exact Hnode.
      - cbn [adds] in Hnode. destruct (Hleft O ltac:(lia)) as [Em Hr].
        replace (a - Z.of_nat 0 * unit k) with a in Em by lia. replace (left - Z.of_nat 0) with left in * by lia.
        pose proof (Hrest n ltac:(lia)) as Hentry. replace (S n - n)%nat with 1%nat in Hentry by lia. cbn [spend] in Hentry.
        assert (Hone : node_at N' (adds n (code k) h) (a - unit k) (v + c left)).
        { rewrite <- Em. apply (one_less m k _ a v (X - v - (c left + 0)) Hm Hc); try assumption.
          - rewrite tokens_adds by exact Hcode. nia.
          - rewrite Em. exact Hr.
          - rewrite Em. unfold c. lia.
          - split; [lia|]. apply (late_adds t m k h (S n) Hm); [exact Hfit|exact Ht|intros _; exact Hk]. }
        cbn [spend]. replace (a - Z.of_nat (S n) * unit k) with (a - unit k - Z.of_nat n * unit k) by lia.
        rewrite Z.add_assoc. apply IH; [nia|exact Hone| | |exact Ht|exact Hk].
        + intros j Hj. pose proof (Hrest j ltac:(lia)) as H. replace (S n - j)%nat with (S (n - j)) in H by lia.
          cbn [spend] in H. replace (X - (v + c left) - spend c (left - 1) (n - j))
            with (X - v - (c left + spend c (left - 1) (n - j))) by lia. exact H.
        + intros j Hj. destruct (Hleft (S j) ltac:(lia)) as [H1 H2].
          replace (a - unit k - Z.of_nat j * unit k) with (a - Z.of_nat (S j) * unit k) by lia.
          replace (left - 1 - Z.of_nat j) with (left - Z.of_nat (S j)) by lia. auto.
    Qed.

    (* Between the completions of a time costs-to-go are no more than what is left to pay; g after them. *)
    Fixpoint paid_batches (g : Z) (ks : list kind) (ns : list nat) (h : list Z) : Prop :=
      match ks, ns with
      | k :: ks', n :: ns' =>
          (forall j, (j < n)%nat -> batch_entry T (adds j (code k) (pile ks' ns' h))
            (g + Z.of_nat j * charge D k t + charges D t ks' ns')) /\ paid_batches g ks' ns' h
      | _, _ => True
      end.

    Lemma completions_spec g : forall ks first ns ds u low h a v, kinds = first ++ ks ->
      placed_batch u ks -> 0 <= low < u -> enough ks ns ds -> a = low + u * encode ks ds ->
      tokens_of W h + batch_tokens ks ns <= M ->
      node_at N' (pile ks ns h) a v -> paid_batches g ks ns h ->
      pay_enough D t ks ns ds -> v + dues D t ks ns ds + g <= X ->
      (forall k n, In (k, n) (combine ks ns) -> z < charge D k t -> n = O) ->
      1 <= t <= late_of h -> (forall k n, In (k, n) (combine ks ns) -> n <> O -> t <= last_completion D z k) ->
      node_at N' h (a - u * encode ks ns) (v + dues D t ks ns ds).
    Proof.
      induction ks as [|k ks IH]; intros first ns ds u low h a v Hks Hplaced Hlow Henough Ha Hfit Hnode Hpaid Hpay Hv Hdear Ht Hsoon.
      - cbn [pile dues encode] in *. rewrite Z.mul_0_r, Z.sub_0_r, Z.add_0_r. exact Hnode.
      - destruct ns as [|n ns], ds as [|d ds]; cbn [enough] in Henough; try contradiction.
        destruct Henough as (Hnd & Hd & Henough). destruct Hplaced as [Hu Hplaced].
        cbn [pile dues encode paid_batches pay_enough batch_tokens] in *. destruct Hpaid as [Hrest Hpaid].
        destruct Hpay as [Hpay Hpays].
        pose proof (dues_least D t ks ns ds Hpays (enough_length _ _ _ Henough)) as Hothers.
        set (c := due D t k) in *. set (E := encode ks ds) in *.
        assert (Hk : nth_error kinds (length first) = Some k).
        { rewrite Hks, nth_error_app2, Nat.sub_diag by lia. reflexivity. }
        destruct (Hproper k (nth_error_In _ _ Hk)) as [Hcode Hsize].
        assert (Hproper' : proper W ks) by (intros x Hx; apply Hproper; rewrite Hks; apply in_or_app; right; right; exact Hx).
        assert (Hnode1 : node_at N' (pile ks ns h) (a - Z.of_nat n * u) (v + spend c (Z.of_nat d) n)).
        { destruct (Z.le_gt_cases (charge D k t) z) as [Hc|Hc].
          2:{ rewrite (Hdear k n (or_introl eq_refl) ltac:(lia)) in *. cbn [adds spend] in *.
              rewrite Z.mul_0_l, Z.sub_0_r, Z.add_0_r. exact Hnode. }
          destruct n as [|n0] eqn:En; [cbn [adds spend] in *; rewrite Z.mul_0_l, Z.sub_0_r, Z.add_0_r; exact Hnode|].
          rewrite <- En in *.
          rewrite <- Hu. apply (some_less (length first) k _ Hk Hc); [rewrite tokens_pile by exact Hproper'; lia|exact Hnode| | | |].
          - intros j Hj. specialize (Hrest j Hj). destruct Hrest as (i & Hi & Hle). exists i. split; [exact Hi|].
            pose proof (spend_parts c (n - j) (Z.of_nat d) j) as Hparts. replace (n - j + j)%nat with n in Hparts by lia.
            pose proof (spend_least c (charge D k t) j (Z.of_nat d - Z.of_nat (n - j))) as Hless.
            assert (Z.of_nat j * charge D k t <= spend c (Z.of_nat d - Z.of_nat (n - j)) j).
            { apply Hless. intros i' Hi'. specialize (Hpay (n - j + i')%nat ltac:(lia)).
              replace (Z.of_nat d - Z.of_nat (n - j) - Z.of_nat i') with (Z.of_nat d - Z.of_nat (n - j + i')) by lia. exact Hpay. }
            fold c. lia.
          - intros j Hj. rewrite Ha, Hu.
            replace (low + u * (Z.of_nat d + radix k * E) - Z.of_nat j * u)
              with (low + (Z.of_nat d - Z.of_nat j + E * radix k) * u) by ring.
            rewrite Z.div_add, (Z.div_small low u) by lia. rewrite Z.add_0_l, Z.mod_add, Z.mod_small by lia. lia.
          - split; [lia|]. apply (late_pile t h Ht ks (first ++ [k])); [rewrite <- app_assoc; exact Hks|nia|].
            intros k' n' H. apply Hsoon. right. exact H.
          - apply (Hsoon k n (or_introl eq_refl)). lia. }
        replace (a - u * (Z.of_nat n + radix k * encode ks ns))
          with (a - Z.of_nat n * u - u * radix k * encode ks ns) by ring.
        rewrite Z.add_assoc.
        apply (IH (first ++ [k]) ns ds (u * radix k) (low + u * (Z.of_nat d - Z.of_nat n))).
        + rewrite <- app_assoc. exact Hks.
        + exact Hplaced.
        + nia.
        + exact Henough.
        + rewrite Ha. fold E. ring.
        + nia.
        + exact Hnode1.
        + exact Hpaid.
        + exact Hpays.
        + lia.
        + intros k' n' Hk'. apply (Hdear k' n'). right. exact Hk'.
        + exact Ht.
        + intros k' n' Hk'. apply (Hsoon k' n'). right. exact Hk'.
    Qed.
  End After.

  Lemma found_spec X N v : node_at N [] 0 v -> v <= X -> found X G N = true.
  Proof.
    intros (i & v' & Hi & Hin & Hle) HX. destruct (graph_root _ _ _ _ _ _ _ _ _ _ _ HG) as (Hroot & _).
    rewrite Hi in Hroot. inversion Hroot. subst i. unfold found. apply existsb_exists.
    exists (0, v'). split; [exact Hin|]. cbn [fst snd]. lia.
  Qed.
End Numbered.
