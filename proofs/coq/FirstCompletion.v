(* First-completion rows, for the rule "linear-duals": Theorem 1 and Lemma 4 of
   first_completion.md. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import MergeSort Model Sums Prices Upper Pieces.
Import ListNotations.
Open Scope Z_scope.

(* --- Rows -------------------------------------------------------------------------------- *)

(* Heights are written as steps (x, H): the height is H from x rounds to go on, until the next
   step; the last one is the lowest. *)
Definition steps_to (heights : list (Z * Z)) (r : Z) : list (Z * Z) :=
  filter (fun x => fst x <=? r) heights.
Definition height_at (heights : list (Z * Z)) (r : Z) : Z := snd (last (steps_to heights r) (0, 0)).
Definition lowest (heights : list (Z * Z)) : Z := snd (last heights (0, 0)).

Fixpoint least_step (f : Z * Z -> Z) (x : Z * Z) (l : list (Z * Z)) : Z :=
  match l with
  | [] => f x
  | y :: rest => Z.min (f x) (least_step f y rest)
  end.

(* The coefficient of a request that holds b tokens and has r rounds to go. *)
Definition share (M : Z) (heights : list (Z * Z)) (b r : Z) : Z :=
  match steps_to heights r with
  | [] => 0
  | x :: rest => Z.max 0 (least_step (fun y => (b + fst y) * snd y) x rest
      - M * (height_at heights r - lowest heights))
  end.

(* The row of round u, with a dual: the shares of what runs in it are at most M L. *)
Definition completion_row (M : Z) (heights : list (Z * Z)) (u p : Z) : row :=
  Row (fun a => if (start a <? u) && (u <=? completion a)
         then share M heights (prompt (of a) + u - start a) (completion a - u) else 0)
    (M * lowest heights) p u.

Definition heights_ok (heights : list (Z * Z)) : bool :=
  (0 <=? lowest heights) && forallb (fun x => (0 <=? fst x) && (lowest heights <=? snd x)) heights.

(* --- Families ---------------------------------------------------------------------------- *)

(* Where the slope of the duals changes, and by how much. *)
Fixpoint kinks (slope : Z) (points : list (Z * Z)) : list (Z * Z) :=
  match points with
  | (u, p) :: ((v, q) :: _) as rest =>
      let next := (q - p) / (v - u) in (u, next - slope) :: kinks next rest
  | [(u, _)] => [(u, - slope)]
  | [] => []
  end.

Definition bends (f : family) : list (Z * Z) :=
  filter (fun x => 0 <? fst x)
    (if knots f then
       match duals f with
       | [] => []
       | (u, _) :: _ => kinks 0 ((u - 1, 0) :: duals f ++ [(fst (last (duals f) (0, 0)) + 1, 0)])
       end
     else flat_map (fun x => [(fst x - 1, snd x); (fst x, -2 * snd x); (fst x + 1, snd x)]) (duals f)).

(* The dual of round u, from the bends after it. *)
Definition dual_at (bent : list (Z * Z)) (u : Z) : Z :=
  total (fun x => snd x * Z.max 0 (fst x - u)) bent.

(* Events for a sum of d times max (0, v - t) over pairs (v, d), v > 0. *)
Definition falls (l : list (Z * Z)) : list event :=
  Event 0 (total (fun x => snd x * fst x) l) (- total snd l)
  :: map (fun x => Event (fst x) (- (snd x * fst x)) (snd x)) l.

(* No dual is below 0. *)
Definition duals_ok (f : family) : bool :=
  match scan_least 0 0 0 (Sort.sort time (falls (bends f))) with
  | Some v => 0 <=? v
  | None => false
  end.

Definition family_ok (f : family) : bool := heights_ok (heights f) && duals_ok f.

(* What the rows of a family add to the reduced cost of a start: their second differences. *)
Definition family_changes (M : Z) (f : family) (q : request) : list event :=
  let shares := map (fun j => (Z.of_nat j,
    share M (heights f) (prompt q + Z.of_nat j) (output q - Z.of_nat j))) (seq 1 (Z.to_nat (output q))) in
  falls (filter (fun x => (0 <? fst x) && negb (snd x =? 0))
    (flat_map (fun b => map (fun a => (fst b - fst a, snd b * snd a)) shares) (bends f))).

(* The sum of dual times right-hand side. *)
Definition family_right (M : Z) (f : family) : Z :=
  M * lowest (heights f) * total (fun x => snd x * (fst x * (fst x - 1) / 2)) (bends f).

(* --- Theorem 1 --------------------------------------------------------------------------- *)

Lemma least_step_le f l : forall x y, In y (x :: l) -> least_step f x l <= f y.
Proof.
  induction l as [|z l IH]; intros x y [->|H]; cbn [least_step]; try lia; [destruct H|].
  specialize (IH z y H). lia.
Qed.

Lemma last_in {A : Type} (l : list A) (x : A) : l <> [] -> In (last l x) l.
Proof.
  intros H. destruct (exists_last H) as (l' & y & ->). rewrite last_last. apply in_or_app. simpl. auto.
Qed.

Lemma steps_in heights r x : In x (steps_to heights r) <-> In x heights /\ fst x <= r.
Proof. unfold steps_to. rewrite filter_In. split; intros [H1 H2]; split; auto; lia. Qed.

(* Of a list that is not empty, one with the least f. *)
Lemma first_of {A : Type} (f : A -> Z) l : l <> [] -> exists x, In x l /\ forall y, In y l -> f x <= f y.
Proof.
  induction l as [|x l IH]; intros H; [contradiction|]. destruct l as [|y l].
  - exists x. split; [simpl; auto|]. intros y [->|[]]. lia.
  - destruct IH as (z & Hz & Hleast); [discriminate|]. destruct (Z.le_gt_cases (f x) (f z)).
    + exists x. split; [simpl; auto|]. intros w [->|Hw]; [lia|]. specialize (Hleast w Hw). lia.
    + exists z. split; [simpl; auto|]. intros w [->|Hw]; [lia|]. apply Hleast, Hw.
Qed.

(* Theorem 1 of first_completion.md, for heights that are written as steps. *)
Theorem first_completion_rows M requests l heights u p :
  schedule M requests l -> heights_ok heights = true -> holds l (completion_row M heights u p).
Proof.
  intros (_ & Hvalid & Hfits) Hok. unfold heights_ok in Hok. apply andb_true_iff in Hok as [Hlow Hheights].
  rewrite forallb_forall in Hheights. set (L := lowest heights) in *.
  assert (HM : 0 <= M).
  { specialize (Hfits 0). pose proof (memory_nonneg l 0 Hvalid). lia. }
  rewrite Forall_forall in Hvalid. unfold holds. set (x := completion_row M heights u p).
  set (S := filter (fun a => 0 <? coefficient x a) l).
  assert (HS : total (coefficient x) l <= total (coefficient x) S).
  { unfold S. rewrite total_filter. apply total_le. intros a _. destruct (Z.ltb_spec 0 (coefficient x a)); lia. }
  apply (Z.le_trans _ _ _ HS). clear HS. cbn [right completion_row x].
  destruct S as [|a0 S0] eqn:ES; [cbn [total]; fold L; nia|]. rewrite <- ES in *.
  destruct (first_of completion S) as (f & Hf & Hleast); [rewrite ES; discriminate|].
  (* those of S run in round u *)
  assert (Hrun : forall a, In a S -> In a l /\ start a < u <= completion a /\
      coefficient x a = share M heights (prompt (of a) + u - start a) (completion a - u) /\
      0 < coefficient x a).
  { intros a Ha. unfold S in Ha. apply filter_In in Ha as [Ha Hpos].
    apply Z.ltb_lt in Hpos. pose proof Hpos as H'. cbn [coefficient completion_row x] in H' |- *.
    destruct (Z.ltb_spec (start a) u); cbn [andb] in *; [|lia].
    destruct (Z.leb_spec u (completion a)); [|lia]. repeat split; auto; lia. }
  set (r := completion f - u).
  assert (Hr : 0 <= r) by (destruct (Hrun f Hf) as (_ & H & _); unfold r; lia).
  destruct (steps_to heights r) as [|s0 steps] eqn:Esteps.
  { destruct (Hrun f Hf) as (_ & _ & H1 & H2). fold r in H1. unfold share in H1. rewrite Esteps in H1. lia. }
  set (y := last (steps_to heights r) (0, 0)).
  assert (Hy : In y heights /\ fst y <= r).
  { apply steps_in. apply last_in. rewrite Esteps. discriminate. }
  destruct Hy as [Hy Hyr]. pose proof (Hheights y Hy) as HyL.
  assert (EH : height_at heights r = snd y) by reflexivity.
  (* each share is at most this *)
  assert (Hshare : forall a, In a S ->
      coefficient x a <= snd y * use a (u + fst y) - M * (height_at heights (completion a - u) - L)).
  { intros a Ha. destruct (Hrun a Ha) as (_ & Hu & E & Hpos). specialize (Hleast a Ha).
    assert (Hin : In y (steps_to heights (completion a - u))) by (apply steps_in; split; [exact Hy|unfold r in *; lia]).
    assert (Huse : use a (u + fst y) = prompt (of a) + u - start a + fst y).
    { unfold use. replace (start a <? u + fst y) with true by lia.
      replace (u + fst y <=? completion a) with true by (unfold r in *; lia). cbn [andb]. lia. }
    rewrite Huse. rewrite E in Hpos |- *. unfold share in *.
    destruct (steps_to heights (completion a - u)) as [|z rest]; [lia|]. fold L in Hpos |- *.
    pose proof (least_step_le (fun y => (prompt (of a) + u - start a + fst y) * snd y) rest z y Hin) as Hle.
    cbv beta in Hle. lia. }
  assert (Hback : M * (snd y - L) <= M * total (fun a => height_at heights (completion a - u) - L) S).
  { apply Z.mul_le_mono_nonneg_l; [exact HM|].
    destruct (in_split f S Hf) as (S1 & S2 & E). rewrite E, total_app. cbn [total]. fold r. rewrite EH.
    assert (Hnonneg : forall a, In a S -> 0 <= height_at heights (completion a - u) - L).
    { intros a Ha. destruct (Hrun a Ha) as (_ & _ & E' & Hpos). rewrite E' in Hpos. unfold share in Hpos.
      unfold height_at. destruct (steps_to heights (completion a - u)) as [|z rest] eqn:Es; [lia|].
      assert (Hin : In (last (z :: rest) (0, 0)) (steps_to heights (completion a - u)))
        by (rewrite Es; apply last_in; discriminate).
      apply steps_in in Hin as [Hin _]. specialize (Hheights _ Hin). lia. }
    assert (0 <= total (fun a => height_at heights (completion a - u) - L) S1).
    { apply total_nonneg. intros a Ha. apply Hnonneg. rewrite E. apply in_or_app. auto. }
    assert (0 <= total (fun a => height_at heights (completion a - u) - L) S2).
    { apply total_nonneg. intros a Ha. apply Hnonneg. rewrite E. apply in_or_app. simpl. auto. }
    lia. }
  assert (Hmem : total (fun a => use a (u + fst y)) S <= M).
  { eapply Z.le_trans; [|apply (Hfits (u + fst y))]. unfold S, memory. rewrite total_filter.
    apply total_le. intros a Ha. pose proof (use_nonneg a (u + fst y) (Hvalid a Ha)).
    destruct (_ <? _); lia. }
  apply Z.le_trans with (snd y * total (fun a => use a (u + fst y)) S
    - M * total (fun a => height_at heights (completion a - u) - L) S).
  - rewrite <- !total_scale. rewrite <- (Z.add_opp_r (total _ S)), <- (Z.mul_1_l (total _ S)) at 1.
    rewrite Z.mul_1_l.
    assert (E : forall g, - total g S = total (fun a => - g a) S).
    { intros g. clear. induction S as [|a S IH]; cbn [total]; lia. }
    rewrite E, <- total_add. apply total_le. intros a Ha. specialize (Hshare a Ha). lia.
  - assert (0 <= snd y) by lia. fold L. nia.
Qed.

(* --- Lemma 4: the rows of a family by their second differences --------------------------- *)

(* The rows of a family, one for each round before the last bend. *)
Definition rows_of (M : Z) (f : family) : list row :=
  map (fun n => completion_row M (heights f) (Z.of_nat n) (dual_at (bends f) (Z.of_nat n)))
    (seq 1 (Z.to_nat (latest (map fst (bends f))))).

Lemma falls_spec l t : (forall x, In x l -> 0 < fst x) -> 0 <= t ->
  changed_by (falls l) t = total (fun x => snd x * Z.max 0 (fst x - t)) l.
Proof.
  intros Hpos Ht. unfold changed_by, falls. cbn [total time constant number].
  replace (0 <=? t) with true by lia. rewrite total_map. cbn [time constant number].
  induction l as [|x l IH]; cbn [total]; [lia|].
  specialize (IH (fun y Hy => Hpos y (or_intror Hy))). pose proof (Hpos x (or_introl eq_refl)).
  destruct (Z.leb_spec (fst x) t); nia.
Qed.

Lemma bends_pos f x : In x (bends f) -> 0 < fst x.
Proof. unfold bends. intros H. apply filter_In in H as [_ H]. lia. Qed.

Lemma duals_nonneg f u : duals_ok f = true -> 0 <= u -> 0 <= dual_at (bends f) u.
Proof.
  intros Hok Hu. unfold duals_ok in Hok.
  destruct (scan_least 0 0 0 (Sort.sort time (falls (bends f)))) as [v|] eqn:E; [|discriminate].
  destruct (scan_least_spec _ _ _ _ _ E) as [_ H]. specialize (H u Hu). unfold changed_by in H.
  rewrite <- (total_permutation _ _ _ (Sort.Permuted_sort time _)) in H.
  fold (changed_by (falls (bends f)) u) in H. rewrite falls_spec in H; [|apply bends_pos|exact Hu].
  fold (dual_at (bends f) u) in H. lia.
Qed.

Lemma rows_of_hold M requests l f x :
  schedule M requests l -> family_ok f = true -> In x (rows_of M f) -> 0 <= price x /\ holds l x.
Proof.
  intros Hl Hok Hx. unfold family_ok in Hok. apply andb_true_iff in Hok as [Hheights Hduals].
  unfold rows_of in Hx. apply in_map_iff in Hx as (n & <- & _). split.
  - cbn [price completion_row]. apply duals_nonneg; [exact Hduals|lia].
  - apply (first_completion_rows M requests); assumption.
Qed.

Lemma total_seq_from_1 (f : nat -> Z) n : total f (seq 1 n) = sum_below n (fun i => f (S i)).
Proof. rewrite <- seq_shift, total_map. apply total_seq. Qed.

Lemma total_flat_map {A B : Type} (f : B -> Z) (g : A -> list B) l :
  total f (flat_map g l) = total (fun x => total f (g x)) l.
Proof. induction l as [|x l IH]; cbn [flat_map total]; [reflexivity|]. rewrite total_app, IH. reflexivity. Qed.

Lemma triangle v N : v <= Z.of_nat N ->
  sum_below N (fun i => Z.max 0 (v - Z.of_nat (S i))) = if 0 <? v then v * (v - 1) / 2 else 0.
Proof.
  intros HN. destruct (Z.ltb_spec 0 v) as [Hv|Hv].
  - rewrite (sum_below_more (Z.to_nat v) N) by (intros; lia).
    rewrite (sum_below_ext _ _ (fun i => Z.of_nat (Z.to_nat v - 1 - i))) by (intros; lia).
    rewrite (sum_below_rev (Z.to_nat v) Z.of_nat). pose proof (sum_below_id (Z.to_nat v)) as H.
    rewrite Z2Nat.id in H by lia. rewrite <- H, Z.mul_comm, Z.div_mul by lia. reflexivity.
  - rewrite (sum_below_ext _ _ (fun _ => 0)) by (intros; lia). rewrite sum_below_const. lia.
Qed.

Lemma family_right_spec M f : total (fun x => price x * right x) (rows_of M f) = family_right M f.
Proof.
  unfold rows_of, family_right. rewrite total_map. cbn [price right completion_row].
  set (N := Z.to_nat (latest (map fst (bends f)))).
  rewrite (total_ext _ (fun n => M * lowest (heights f) * dual_at (bends f) (Z.of_nat n)))
    by (intros; ring).
  rewrite total_scale. f_equal. unfold dual_at. rewrite total_swap. apply total_ext. intros [v d] Hx.
  cbn [fst snd]. rewrite total_scale. f_equal. rewrite total_seq_from_1, triangle.
  - pose proof (bends_pos f _ Hx) as Hv. cbn [fst] in Hv. replace (0 <? v) with true by lia. reflexivity.
  - apply (in_map fst) in Hx. apply latest_ge in Hx. cbn [fst] in Hx. unfold N. lia.
Qed.

(* One bend, of slope 1 before v. *)
Lemma bend_spec M hs q t v N : 0 <= t -> v <= Z.of_nat N ->
  sum_below N (fun i => Z.max 0 (v - Z.of_nat (S i))
    * coefficient (completion_row M hs (Z.of_nat (S i)) 0) (Attempt q t)) =
  sum_below (Z.to_nat (output q)) (fun j => share M hs (prompt q + Z.of_nat (S j)) (output q - Z.of_nat (S j))
    * Z.max 0 (v - Z.of_nat (S j) - t)).
Proof.
  intros Ht HN. cbn [coefficient completion_row]. unfold completion. cbn [of start].
  match goal with |- sum_below N ?h = _ => set (g := h) end.
  set (T := Z.to_nat t). set (n := Z.to_nat (output q)).
  rewrite <- (sum_below_more N (T + (n + N)) g);
    [|lia|intros i Hi; unfold g; rewrite Z.max_l by lia; apply Z.mul_0_l].
  rewrite sum_below_split, (sum_below_ext T _ (fun _ => 0)).
  2:{ intros i Hi. unfold g. destruct (Z.ltb_spec t (Z.of_nat (S i))); cbn [andb]; lia. }
  rewrite sum_below_split, (sum_below_ext N _ (fun _ => 0)).
  2:{ intros i Hi. unfold g. destruct (Z.leb_spec (Z.of_nat (S (T + (n + i)))) (t + output q)); [lia|].
      rewrite andb_false_r. lia. }
  rewrite !sum_below_const, Z.add_0_r. cbn [Z.mul Z.add]. apply sum_below_ext. intros j Hj. unfold g.
  replace (Z.of_nat (S (T + j))) with (t + Z.of_nat (S j)) by lia.
  destruct (Z.ltb_spec t (t + Z.of_nat (S j))); [|lia].
  destruct (Z.leb_spec (t + Z.of_nat (S j)) (t + output q)); [|lia]. cbn [andb].
  replace (prompt q + (t + Z.of_nat (S j)) - t) with (prompt q + Z.of_nat (S j)) by lia.
  replace (t + output q - (t + Z.of_nat (S j))) with (output q - Z.of_nat (S j)) by lia.
  replace (v - (t + Z.of_nat (S j))) with (v - Z.of_nat (S j) - t) by lia. ring.
Qed.

Lemma family_changes_spec M f q t : 0 <= t ->
  changed_by (family_changes M f q) t =
  total (fun x => price x * coefficient x (Attempt q t)) (rows_of M f).
Proof.
  intros Ht. unfold family_changes. rewrite falls_spec; [|intros x Hx; apply filter_In in Hx as [_ Hx]; lia|exact Ht].
  rewrite total_filter, (total_ext _ (fun x => snd x * Z.max 0 (fst x - t))).
  2:{ intros x _. destruct (Z.ltb_spec 0 (fst x)); cbn [andb]; [|lia].
      destruct (Z.eqb_spec (snd x) 0) as [->|]; cbn [negb]; lia. }
  rewrite total_flat_map. unfold rows_of. rewrite total_map.
  set (N := Z.to_nat (latest (map fst (bends f)))).
  transitivity (total (fun n => total (fun b => snd b * (Z.max 0 (fst b - Z.of_nat n)
    * coefficient (completion_row M (heights f) (Z.of_nat n) 0) (Attempt q t))) (bends f)) (seq 1 N)).
  - rewrite total_swap. apply total_ext. intros [v d] Hx. cbn [fst snd]. rewrite !total_map. cbn [fst snd].
    rewrite total_scale, (total_seq_from_1 (fun n => Z.max 0 (v - Z.of_nat n)
      * coefficient (completion_row M (heights f) (Z.of_nat n) 0) (Attempt q t)) N).
    rewrite (bend_spec M (heights f) q t v N Ht).
    + rewrite <- total_seq_from_1 with (f := fun j => share M (heights f) (prompt q + Z.of_nat j)
        (output q - Z.of_nat j) * Z.max 0 (v - Z.of_nat j - t)).
      rewrite <- total_scale. apply total_ext. intros j _. ring.
    + apply (in_map fst) in Hx. apply latest_ge in Hx. cbn [fst] in Hx. unfold N. lia.
  - apply total_ext. intros n _. cbn [price coefficient completion_row]. unfold dual_at.
    match goal with |- _ = _ * ?c => set (z := c) end. rewrite Z.mul_comm, <- total_scale. apply total_ext. intros b _. ring.
Qed.
