(* The rule "busy-time" of FORMAT.md: busy-time bounds in integers, from the types. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation.
From Kvopt Require Import MergeSort Model Sums Staircase Prices Area Spacing BusyTime Fluid.
Import ListNotations.
Open Scope Z_scope.

(* What a type weighs: W, and 6 times the sum of w (j) (2 j - 1). *)
Definition weighed := request -> Z * Z.

(* Types with their numbers, the largest W first. *)
Fixpoint insert_type (weigh : weighed) (x : request * Z) (types : list (request * Z)) :
    list (request * Z) :=
  match types with
  | [] => [x]
  | y :: rest =>
      if fst (weigh (fst y)) <=? fst (weigh (fst x)) then x :: types
      else y :: insert_type weigh x rest
  end.
Definition heaviest_by_insertion (weigh : weighed) : list (request * Z) -> list (request * Z) :=
  fold_right (insert_type weigh) [].

(* The same, with weights that are computed once; or else by insertion. *)
Fixpoint never_rises (l : list (Z * (request * Z))) : bool :=
  match l with x :: (y :: _) as rest => (fst y <=? fst x) && never_rises rest | _ => true end.
Definition heaviest_first (weigh : weighed) (types : list (request * Z)) : list (request * Z) :=
  let l := Sort.sort (fun x => - fst x) (map (fun x => (fst (weigh (fst x)), x)) types) in
  if never_rises l then map snd l else heaviest_by_insertion weigh types.

(* Twice the sum over pairs of min (W_i, W_j), plus the sum of the W_i, for types with the
   largest W first, `larger` requests standing before them. *)
Fixpoint doubled (weigh : weighed) (larger : Z) (types : list (request * Z)) : Z :=
  match types with
  | [] => 0
  | (q, n) :: rest => fst (weigh q) * n * (n + 2 * larger) + doubled weigh (larger + n) rest
  end.

(* The unit in which fractions are rounded down, 2^-64. *)
Definition fine : Z := 18446744073709551616.

(* The sum of the delta_i, in these units. *)
Definition deltas (weigh : weighed) (types : list (request * Z)) : Z :=
  total (fun x => let (whole, moment6) := weigh (fst x) in
    (snd x * (12 * output (fst x) * whole - moment6) * fine) / (12 * whole)) types.

Definition busy_integer (c : Z) (weigh : weighed) (types : list (request * Z)) : Z :=
  ceil_div (deltas weigh types
    + (doubled weigh 0 (heaviest_first weigh types) * fine) / (2 * c)) fine.

(* With releases: the same from the fluid. *)
Definition fluid_integer (c : Z) (weigh : weighed) (types : list (request * Z)) : Z :=
  ceil_div (deltas weigh types
    + snd (fluid fine c (fun q => fst (weigh q)) (heaviest_first weigh types)) / 2) fine.

(* Memory weights, in units of 1 / M. *)
Definition weigh_memory : weighed := fun q =>
  let s := prompt q in let o := output q in
  (area q, 6 * s * o * o + o * (o + 1) * (4 * o - 1)).

(* Slot weights, in units of 1 / (M times a multiple of 1, ..., 64). *)
Definition slot_unit (M : Z) : Z := M * 1182266884102822267511361600.
Definition weigh_slots (M s_min : Z) : weighed := fun q =>
  let w := slot_weights M s_min (slot_unit M) in (whole w q, 6 * moment w q).

Definition longest_slots : Z := 100000.

(* The checker: the larger of the bound, less the releases, and the sum of the outputs. *)
Definition busy_check (slots : bool) (M : Z) (types : list (request * Z)) : option Z :=
  let s_min := smallest_prompt types in
  let c := if slots then slot_unit M else M in
  let weigh := if slots then weigh_slots M s_min else weigh_memory in
  if (1 <=? M) && forallb (fun x => (0 <=? prompt (fst x)) && (1 <=? output (fst x)) && (0 <=? snd x)) types
    && (negb slots || (M / (s_min + 1) <=? 64) && forallb (fun x => (output (fst x) <=? longest_slots)
          && (0 <? fst (weigh (fst x)))) types)
  then
    Some (Z.max (total (fun x => snd x * output (fst x)) types)
      (fluid_integer c weigh types - total (fun x => snd x * release (fst x)) types))
  else None.

(* --- Proofs ------------------------------------------------------------------------------ *)

Section Weights.
  Context (w : request -> Z -> Z) (weigh : weighed) (c : Z).
  Let W (q : request) : Z := fst (weigh q).

  Lemma expand_cons q n types : expand ((q, n) :: types) = repeat q (Z.to_nat n) ++ expand types.
  Proof. reflexivity. Qed.

  Lemma insert_type_permutation x types :
    Permutation (expand (x :: types)) (expand (insert_type weigh x types)).
  Proof.
    induction types as [|y rest IH]; [reflexivity|]. cbn [insert_type].
    destruct (_ <=? _); [reflexivity|]. destruct x as [q n], y as [q' n'].
    rewrite (expand_cons q' n' (insert_type _ _ _)), <- IH, !expand_cons.
    rewrite !app_assoc. apply Permutation_app_tail, Permutation_app_comm.
  Qed.

  Lemma insertion_permutation types :
    Permutation (expand types) (expand (heaviest_by_insertion weigh types)).
  Proof.
    induction types as [|[q n] rest IH]; [reflexivity|]. cbn [heaviest_by_insertion fold_right].
    fold (heaviest_by_insertion weigh rest). rewrite <- insert_type_permutation, !expand_cons.
    apply Permutation_app_head, IH.
  Qed.

  Lemma insert_type_in x types y : In y (insert_type weigh x types) <-> y = x \/ In y types.
  Proof.
    induction types as [|z rest IH]; cbn [insert_type].
    - simpl. intuition congruence.
    - destruct (_ <=? _); simpl in *; rewrite ?IH; intuition congruence.
  Qed.

  Lemma insertion_in types y : In y (heaviest_by_insertion weigh types) <-> In y types.
  Proof.
    induction types as [|x rest IH]; [reflexivity|]. cbn [heaviest_by_insertion fold_right].
    fold (heaviest_by_insertion weigh rest). rewrite insert_type_in, IH. simpl. intuition congruence.
  Qed.

  Lemma insert_type_falling x types : falling W types -> falling W (insert_type weigh x types).
  Proof.
    induction types as [|y rest IH]; intros H.
    - simpl. split; [intros z []|exact I].
    - destruct H as [H1 H2]. cbn [insert_type]. destruct (Z.leb_spec (fst (weigh (fst y))) (fst (weigh (fst x)))).
      + split; [|split; assumption]. intros z [<-|Hz]; [assumption|]. specialize (H1 z Hz). unfold W in *. lia.
      + split; [|apply IH, H2]. intros z Hz. apply insert_type_in in Hz as [->|Hz]; [unfold W; lia|auto].
  Qed.

  Lemma insertion_falling types : falling W (heaviest_by_insertion weigh types).
  Proof.
    induction types as [|x rest IH]; [exact I|]. cbn [heaviest_by_insertion fold_right].
    apply insert_type_falling, IH.
  Qed.

  Lemma weighed_same types : Permutation types
    (map snd (Sort.sort (fun x : Z * (request * Z) => - fst x) (map (fun x => (fst (weigh (fst x)), x)) types))).
  Proof.
    transitivity (map snd (map (fun x => (fst (weigh (fst x)), x)) types)).
    - rewrite map_map. cbn [snd]. rewrite map_id. reflexivity.
    - apply Permutation_map, Sort.Permuted_sort.
  Qed.

  Lemma expand_same types types' : Permutation types types' -> Permutation (expand types) (expand types').
  Proof. intros H. unfold expand. apply Permutation_flat_map, H. Qed.

  Lemma heaviest_first_permutation types : Permutation (expand types) (expand (heaviest_first weigh types)).
  Proof.
    unfold heaviest_first. cbv zeta. destruct (never_rises _); [|apply insertion_permutation].
    apply expand_same, weighed_same.
  Qed.

  Lemma heaviest_first_in types y : In y (heaviest_first weigh types) <-> In y types.
  Proof.
    unfold heaviest_first. cbv zeta. destruct (never_rises _); [|apply insertion_in].
    pose proof (weighed_same types) as H. split; intros Hy; [apply (Permutation_in _ (Permutation_sym H)), Hy|apply (Permutation_in _ H), Hy].
  Qed.

  Lemma never_rises_falling l : (forall x, In x l -> fst x = W (fst (snd x))) -> never_rises l = true -> falling W (map snd l).
  Proof.
    induction l as [|x l IH]; intros Hl H; [exact I|].
    assert (Hrest : never_rises l = true) by (destruct l; [reflexivity|cbn [never_rises] in H; apply andb_true_iff in H as [_ H]; exact H]).
    specialize (IH (fun y Hy => Hl y (or_intror Hy)) Hrest). cbn [map falling]. split; [|exact IH].
    intros y Hy. destruct l as [|z l]; [destruct Hy|]. cbn [never_rises] in H. apply andb_true_iff in H as [H _].
    apply Z.leb_le in H. rewrite (Hl x (or_introl eq_refl)), (Hl z (or_intror (or_introl eq_refl))) in H.
    cbn [map falling] in IH, Hy. destruct Hy as [<-|Hy]; [exact H|]. destruct IH as [IH _]. specialize (IH y Hy). lia.
  Qed.

  Lemma heaviest_first_falling types : falling W (heaviest_first weigh types).
  Proof.
    unfold heaviest_first. cbv zeta. destruct (never_rises _) eqn:E; [|apply insertion_falling].
    apply never_rises_falling; [|exact E]. intros x Hx. apply (Permutation_in _ (Permutation_sym (Sort.Permuted_sort _ _))) in Hx.
    apply in_map_iff in Hx as (y & <- & _). reflexivity.
  Qed.

  Let both (q q' : request) : Z := Z.min (W q) (W q').

  Lemma pairs_repeat q n l : (forall q', In q' l -> W q' <= W q) ->
    2 * pairs both (repeat q n ++ l) =
    Z.of_nat n * (Z.of_nat n - 1) * W q + 2 * Z.of_nat n * total W l + 2 * pairs both l.
  Proof.
    intros H. induction n as [|n IH]; [simpl repeat; cbn [app]; lia|].
    cbn [repeat app pairs]. rewrite total_app.
    assert (E1 : total (both q) (repeat q n) = Z.of_nat n * W q).
    { rewrite (total_ext _ (fun _ => W q)).
      - rewrite total_const, repeat_length. lia.
      - intros x Hx. apply repeat_spec in Hx as ->. unfold both. lia. }
    assert (E2 : total (both q) l = total W l).
    { apply total_ext. intros x Hx. specialize (H x Hx). unfold both. lia. }
    rewrite E1, E2, Z.mul_add_distr_l, IH, Nat2Z.inj_succ. unfold Z.succ. ring.
  Qed.

  Lemma doubled_spec types larger : (forall x, In x types -> 0 <= snd x) -> falling W types ->
    doubled weigh larger types =
    2 * pairs both (expand types) + total W (expand types) + 2 * larger * total W (expand types).
  Proof.
    revert larger. induction types as [|[q n] rest IH]; intros larger Hn Hf; [simpl; lia|].
    destruct Hf as [Hf1 Hf2]. cbn [doubled].
    rewrite IH by (auto; intros x Hx; apply Hn; simpl; auto).
    rewrite expand_cons, total_app, pairs_repeat.
    2:{ intros q' Hq'. apply in_expand in Hq' as (n' & Hq'). apply (Hf1 _ Hq'). }
    specialize (Hn (q, n) (or_introl eq_refl)). cbn [snd] in Hn.
    assert (E : total W (repeat q (Z.to_nat n)) = n * W q).
    { rewrite (total_ext _ (fun _ => W q)).
      - rewrite total_const, repeat_length, Z2Nat.id by exact Hn. ring.
      - intros x Hx. apply repeat_spec in Hx as ->. reflexivity. }
    rewrite E, !Z2Nat.id by exact Hn. fold (W q). ring.
  Qed.

  Context (Hc : 0 < c).

  Lemma floor_le a b : 0 < b -> (inject_Z (a / b) <= inject_Z a / inject_Z b)%Q.
  Proof.
    intros Hb. apply Qle_shift_div_l; [apply inject_pos, Hb|].
    rewrite <- inject_Z_mult, <- Zle_Qle. rewrite Z.mul_comm. apply Z.mul_div_le, Hb.
  Qed.

  Lemma totalQ_repeat (f : request -> Q) q n :
    (totalQ f (repeat q n) == inject_Z (Z.of_nat n) * f q)%Q.
  Proof.
    induction n as [|n IH]; [simpl; change (inject_Z 0) with 0%Q; ring|]. cbn [repeat totalQ]. rewrite IH.
    rewrite Nat2Z.inj_succ. unfold Z.succ. rewrite inject_Z_plus. change (inject_Z 1) with 1%Q. ring.
  Qed.

  Lemma deltas_below types :
    (forall x, In x types -> 0 <= snd x /\ weigh (fst x) = (whole w (fst x), 6 * moment w (fst x)) /\
      0 < whole w (fst x)) ->
    (inject_Z (deltas weigh types) <= inject_Z fine * totalQ (delta w) (expand types))%Q.
  Proof.
    induction types as [|[q n] rest IH]; intros H.
    - unfold deltas. cbn [total expand flat_map totalQ]. change (inject_Z 0) with 0%Q. lra.
    - rewrite expand_cons. unfold deltas. cbn [total]. fold (deltas weigh rest).
      destruct (H (q, n) (or_introl eq_refl)) as (Hn & E & HW). cbn [fst snd] in *. rewrite E.
      specialize (IH (fun x Hx => H x (or_intror Hx))).
      rewrite inject_Z_plus, totalQ_app, Qmult_plus_distr_r. apply Qplus_le_compat; [|exact IH].
      rewrite totalQ_repeat, Z2Nat.id by exact Hn.
      eapply Qle_trans; [apply floor_le; lia|].
      assert (HWq : (0 < inject_Z (whole w q))%Q) by (apply inject_pos, HW).
      apply Qle_lteq. right. unfold delta. unfold Z.sub.
      rewrite ?inject_Z_mult, ?inject_Z_plus, ?inject_Z_opp, ?inject_Z_mult.
      change (inject_Z 12) with 12%Q. change (inject_Z 6) with 6%Q. change (inject_Z 2) with 2%Q.
      field. lra.
  Qed.

  (* The integer is not above the busy-time bound, rounded up: `busy_time` in BusyTime.v, which is
     Theorem 2 of lower_bounds.md. *)
  Lemma busy_integer_below types requests X :
    Permutation requests (expand types) ->
    (forall x, In x types -> 0 <= snd x /\ weigh (fst x) = (whole w (fst x), 6 * moment w (fst x)) /\
      0 < whole w (fst x)) ->
    (busy_bound w c requests <= inject_Z X)%Q -> busy_integer c weigh types <= X.
  Proof.
    intros Hperm H Hbound. unfold busy_bound in Hbound.
    assert (HWeq : forall q, In q (expand types) -> W q = whole w q).
    { intros q Hq. apply in_expand in Hq as (n & Hq). destruct (H _ Hq) as (_ & E & _).
      cbn [fst] in E. unfold W. rewrite E. reflexivity. }
    assert (Hd : doubled weigh 0 (heaviest_first weigh types) =
        2 * pairs (fun q q' => Z.min (whole w q) (whole w q')) requests + total (whole w) requests).
    { rewrite doubled_spec.
      - rewrite Z.mul_0_r, Z.mul_0_l, Z.add_0_r.
        rewrite <- (total_permutation W _ _ (heaviest_first_permutation types)).
        rewrite <- (pairs_permutation both _ _ (fun q q' => Z.min_comm (W q) (W q'))
          (heaviest_first_permutation types)).
        rewrite (total_permutation _ _ _ Hperm).
        rewrite (pairs_permutation _ _ _ (fun q q' => Z.min_comm (whole w q) (whole w q')) Hperm).
        rewrite (total_ext W (whole w)) by exact HWeq. f_equal. f_equal.
        clear -HWeq. induction (expand types) as [|q l IH]; [reflexivity|]. cbn [pairs].
        rewrite IH by (intros; apply HWeq; simpl; auto). f_equal. apply total_ext.
        intros q' Hq'. unfold both. rewrite !HWeq by (simpl; auto). reflexivity.
      - intros x Hx. apply (proj1 (heaviest_first_in types x)) in Hx. apply (H x Hx).
      - apply heaviest_first_falling. }
    set (d := doubled weigh 0 (heaviest_first weigh types)) in *. rewrite <- Hd in Hbound.
    rewrite (totalQ_permutation _ _ _ Hperm) in Hbound.
    pose proof (deltas_below types H) as Hdeltas.
    assert (Hfine : 0 < fine) by reflexivity.
    assert (Hfq : (0 < inject_Z fine)%Q) by (apply inject_pos, Hfine).
    assert (Hcq : (0 < inject_Z (2 * c))%Q) by (apply inject_pos; lia).
    pose proof (floor_le (d * fine) (2 * c) ltac:(lia)) as Hfloor.
    assert (E : (inject_Z (d * fine) / inject_Z (2 * c) ==
        inject_Z fine * (inject_Z d / inject_Z (2 * c)))%Q).
    { rewrite inject_Z_mult. field. lra. }
    rewrite E in Hfloor.
    assert (Hall : (inject_Z fine * (inject_Z d / inject_Z (2 * c) + totalQ (delta w) (expand types))
        <= inject_Z fine * inject_Z X)%Q).
    { rewrite !(Qmult_comm (inject_Z fine)). apply Qmult_le_compat_r; [exact Hbound|lra]. }
    assert (HZ : deltas weigh types + d * fine / (2 * c) <= fine * X).
    { rewrite Zle_Qle, inject_Z_plus, inject_Z_mult. rewrite Qmult_plus_distr_r in Hall. lra. }
    unfold busy_integer, ceil_div. fold d.
    set (Y := deltas weigh types + d * fine / (2 * c)) in *.
    assert (- X <= - Y / fine); [|lia]. apply Z.div_le_lower_bound; lia.
  Qed.

  (* Nor is the one from the fluid: Theorem 1 of release_times.md. *)
  Lemma fluid_integer_below types M requests l :
    schedule M requests l -> Permutation requests (expand types) ->
    (forall x, In x types -> 0 <= snd x /\ weigh (fst x) = (whole w (fst x), 6 * moment w (fst x)) /\
      0 < whole w (fst x)) ->
    (forall a r, In a l -> 0 <= weight w a r) ->
    (forall r, total (fun a => weight w a r) l <= c) ->
    fluid_integer c weigh types <= completions l.
  Proof.
    intros (Hof & Hvalid & _) Hperm H Hpos Hcap. rewrite Forall_forall in Hvalid. subst requests.
    assert (Hfine : 0 < fine) by reflexivity.
    set (heavy := heaviest_first weigh types).
    assert (Hheavy : forall x, In x heavy -> 0 <= snd x /\ W (fst x) = whole w (fst x) /\ 0 < whole w (fst x)).
    { intros x Hx. apply (proj1 (heaviest_first_in types x)) in Hx. destruct (H x Hx) as (H1 & H2 & H3). unfold W. rewrite H2. auto. }
    assert (Hof : forall a, In a l -> W (of a) = whole w (of a) /\ 0 < whole w (of a)).
    { intros a Ha. apply (in_map of) in Ha. apply (Permutation_in _ Hperm) in Ha. apply in_expand in Ha as (n & Ha).
      destruct (H _ Ha) as (_ & H2 & H3). unfold W. cbn [fst] in *. rewrite H2. auto. }
    pose proof (heaviest_first_permutation types) as Hp. fold heavy in Hp.
    assert (Hp' : Permutation (expand heavy) (map of l)) by (rewrite <- Hp; apply Permutation_sym, Hperm).
    apply Permutation_map_inv in Hp' as (k & Hk & Hkl).
    assert (Hlk : Permutation l (k ++ [])) by (rewrite app_nil_r; exact Hkl).
    pose proof (fluid_below w c fine Hc Hfine l Hvalid (fun a Ha => proj2 (Hof a Ha)) Hpos Hcap W heavy) as Hfluid.
    specialize (Hfluid ltac:(intros q Hq; apply in_map_iff in Hq as (a & <- & Ha); apply (Hof a Ha))).
    specialize (Hfluid (fun x Hx => proj1 (Hheavy x Hx)) k [] Hlk (eq_sym Hk)).
    specialize (Hfluid ltac:(intros x Hx; destruct (Hheavy x Hx) as (_ & -> & Hx'); exact Hx')).
    specialize (Hfluid (heaviest_first_falling types)).
    unfold fluid_integer. fold heavy. change (fun q => fst (weigh q)) with W.
    destruct (fluid fine c W heavy) as [blocks sum]. destruct Hfluid as [Hstand Hfluid]. cbn [snd].
    set (z := 1 + latest (map (fun x => W (fst x)) heavy)).
    pose proof (latest_nonneg (map (fun x => W (fst x)) heavy)) as Hz.
    specialize (Hfluid z ltac:(unfold z; lia)).
    specialize (Hfluid ltac:(intros x Hx; apply (in_map (fun x => W (fst x))) in Hx; apply latest_ge in Hx; unfold z; lia)).
    pose proof (moments_below w c Hc l Hvalid (fun a Ha => proj2 (Hof a Ha)) Hpos Hcap blocks k [] Hlk Hstand) as Hless.
    assert (Hrest : (0 <= inject_Z (c * total (busy w) k - block_moments blocks) / inject_Z z)%Q).
    { apply Qle_shift_div_l; [apply inject_pos; unfold z; lia|]. rewrite Qmult_0_l.
      change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. lia. }
    pose proof (twice_completions w l (fun a Ha => proj2 (Hof a Ha))) as HC.
    rewrite (totalQ_permutation _ _ _ Hkl), (totalQ_permutation (delta w) _ _ Hperm) in HC.
    pose proof (deltas_below types H) as Hdeltas. pose proof (floor_le sum 2 ltac:(lia)) as Hfloor.
    set (B := totalQ (fun a => inject_Z (busy w a) / inject_Z (whole w (of a)))%Q k) in *.
    assert (Hcq : (0 < inject_Z c)%Q) by (apply inject_pos, Hc).
    assert (Hfq : (0 < inject_Z fine)%Q) by (apply inject_pos, Hfine).
    assert (Hsum : (inject_Z sum <= inject_Z fine * B)%Q).
    { assert (H1 : (inject_Z sum / inject_Z fine * inject_Z c <= B * inject_Z c)%Q) by lra.
      apply Qmult_le_r in H1; [|exact Hcq].
      assert (H2 : (inject_Z sum / inject_Z fine * inject_Z fine <= B * inject_Z fine)%Q)
        by (apply Qmult_le_compat_r; [exact H1|lra]).
      assert (E : (inject_Z sum / inject_Z fine * inject_Z fine == inject_Z sum)%Q) by (field; lra).
      lra. }
    assert (HZ : deltas weigh types + sum / 2 <= fine * completions l).
    { rewrite Zle_Qle, inject_Z_plus, inject_Z_mult.
      assert (E : (inject_Z fine * inject_Z (completions l) ==
          (1 # 2) * (inject_Z fine * B) + inject_Z fine * totalQ (delta w) (expand types))%Q).
      { assert (E : (inject_Z (completions l) == (1 # 2) * (inject_Z 2 * inject_Z (completions l)))%Q)
          by (change (inject_Z 2) with 2%Q; ring).
        rewrite E, HC. change (inject_Z 2) with 2%Q. ring. }
      rewrite E. assert (E2 : (inject_Z sum / inject_Z 2 == (1 # 2) * inject_Z sum)%Q)
        by (change (inject_Z 2) with 2%Q; field).
      rewrite E2 in Hfloor. lra. }
    unfold ceil_div. set (Y := deltas weigh types + sum / 2) in *.
    assert (- completions l <= - Y / fine); [|lia]. apply Z.div_le_lower_bound; lia.
  Qed.
End Weights.

(* Memory weights are what `weigh_memory` says. *)
Lemma memory_weighed (x : request * Z) : 0 <= snd x -> valid_request (fst x) ->
  0 <= snd x /\ weigh_memory (fst x) = (whole memory_weights (fst x), 6 * moment memory_weights (fst x)) /\
  0 < whole memory_weights (fst x).
Proof.
  intros Hn Hq. pose proof Hq as [Hs Ho]. assert (Hw := memory_whole (fst x) ltac:(lia)). split; [exact Hn|]. split.
  - unfold weigh_memory. rewrite Hw. f_equal.
    pose proof (memory_moment (prompt (fst x)) (Z.to_nat (output (fst x)))) as Hm.
    rewrite Z2Nat.id in Hm by lia. unfold moment, memory_weights. rewrite Hm. ring.
  - rewrite Hw. apply area_pos, Hq.
Qed.

(* The bound without releases, about the completion times. *)
Lemma busy_memory_below M types requests l :
  0 < M -> Permutation requests (expand types) ->
  (forall x, In x types -> 0 <= snd x /\ valid_request (fst x)) ->
  schedule M requests l -> busy_integer M weigh_memory types <= completions l.
Proof.
  intros HM Hperm Htypes Hl.
  apply (busy_integer_below memory_weights weigh_memory M HM types requests); [exact Hperm| |].
  - intros x Hx. destruct (Htypes x Hx) as [Hn Hq]. apply memory_weighed; assumption.
  - apply (busy_time_memory M requests l HM Hl).
Qed.

(* The rule "busy-time": what is returned is at most the cost of every schedule. *)
Theorem busy_sound slots M types result requests l :
  busy_check slots M types = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold busy_check. intros Hresult Hperm Hl. pose proof Hl as (Hof & Hvalid & Hfits).
  rewrite Forall_forall in Hvalid.
  destruct ((1 <=? M) && forallb _ types && _) eqn:E; [|discriminate]. inversion Hresult. subst result. clear Hresult.
  apply andb_true_iff in E as [E Hslots]. apply andb_true_iff in E as [HM Htypes]. rewrite forallb_forall in Htypes.
  assert (Hsum : forall f, total (fun x => snd x * f (fst x)) types = total f requests).
  { intros f. rewrite <- total_expand by (intros x Hx; specialize (Htypes x Hx); lia).
    symmetry. apply total_permutation, Hperm. }
  rewrite !Hsum, cost_completions, Hof. apply Z.max_lub.
  { rewrite <- Hof, !total_map. unfold completions.
    assert (total (fun a => output (of a)) l + total (fun a => release (of a)) l <= total completion l); [|lia].
    rewrite <- total_add. apply total_le. intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. unfold completion. lia. }
  assert (fluid_integer (if slots then slot_unit M else M)
    (if slots then weigh_slots M (smallest_prompt types) else weigh_memory) types <= completions l); [|lia].
  destruct slots; cbn [negb orb] in Hslots.
  - apply andb_true_iff in Hslots as [_ Hpos]. rewrite forallb_forall in Hpos.
    set (s_min := smallest_prompt types) in *.
    assert (Hmin : forall q, In q requests -> 0 <= s_min <= prompt q).
    { intros q Hq. apply (Permutation_in _ Hperm) in Hq. apply in_expand in Hq as (n & Hq).
      split; [|apply (smallest_prompt_le types q n), Hq].
      apply smallest_prompt_nonneg. intros y Hy. specialize (Htypes y Hy). lia. }
    assert (Hunit : M <= slot_unit M) by (unfold slot_unit; lia).
    destruct l as [|a0 l0] eqn:El.
    { apply (fluid_integer_below (slot_weights M s_min (slot_unit M)) (weigh_slots M s_min) (slot_unit M) ltac:(lia) types M requests []); try assumption.
      - intros x Hx. specialize (Hpos x Hx). specialize (Htypes x Hx).
        cbv beta iota zeta delta [weigh_slots] in Hpos. cbn [fst] in Hpos. repeat split; lia.
      - intros a r [].
      - intros r. cbn [total]. lia. }
    rewrite <- El in *.
    destruct (slots_shared M s_min (slot_unit M) requests l Hl Hunit Hmin) as (_ & Hone & Hcap); [rewrite El; discriminate|].
    apply (fluid_integer_below (slot_weights M s_min (slot_unit M)) (weigh_slots M s_min) (slot_unit M) ltac:(lia) types M requests l Hl Hperm);
      [| |exact Hcap].
    + intros x Hx. specialize (Hpos x Hx). specialize (Htypes x Hx).
      cbv beta iota zeta delta [weigh_slots] in Hpos. cbn [fst] in Hpos. repeat split; lia.
    + intros a r Ha. unfold weight. destruct ((start a <? r) && (r <=? completion a)) eqn:E; [|lia].
      unfold completion in E. specialize (Hone a (r - start a) Ha ltac:(lia)). lia.
  - apply (fluid_integer_below memory_weights weigh_memory M ltac:(lia) types M requests l Hl Hperm).
    + intros x Hx. specialize (Htypes x Hx). apply memory_weighed; [lia|split; lia].
    + intros a r Ha. rewrite memory_weight. apply use_nonneg, Hvalid, Ha.
    + intros r. rewrite (total_ext _ (fun a => use a r)) by (intros; apply memory_weight). apply Hfits.
Qed.
