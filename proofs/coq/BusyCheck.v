(* The rule "busy-time" of FORMAT.md: busy-time bounds in integers, from the types. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation.
From Kvopt Require Import Model Sums Staircase Prices Area Spacing BusyTime.
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
Definition heaviest_first (weigh : weighed) : list (request * Z) -> list (request * Z) :=
  fold_right (insert_type weigh) [].

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

(* Memory weights, in units of 1 / M. *)
Definition weigh_memory : weighed := fun q =>
  let s := prompt q in let o := output q in
  (area q, 6 * s * o * o + o * (o + 1) * (4 * o - 1)).

(* Slot weights, in units of 1 / (M times a multiple of 1, ..., 64). *)
Definition slot_unit (M : Z) : Z := M * 1182266884102822267511361600.
Definition weigh_slots (M s_min : Z) : weighed := fun q =>
  let w := slot_weights M s_min (slot_unit M) in (whole w q, 6 * moment w q).

Definition longest_slots : Z := 100000.

(* The checker: the larger of the bound and the sum of the outputs. *)
Definition busy_check (slots : bool) (M : Z) (types : list (request * Z)) : option Z :=
  let s_min := smallest_prompt types in
  if (1 <=? M) && forallb (fun x => (0 <=? prompt (fst x)) && (1 <=? output (fst x))
      && (release (fst x) =? 0) && (0 <=? snd x)) types
  then
    let outputs := total (fun x => snd x * output (fst x)) types in
    if slots then
      if (M / (s_min + 1) <=? 64) && forallb (fun x => (output (fst x) <=? longest_slots)
          && (0 <? fst (weigh_slots M s_min (fst x)))) types
      then Some (Z.max outputs (busy_integer (slot_unit M) (weigh_slots M s_min) types))
      else None
    else Some (Z.max outputs (busy_integer M weigh_memory types))
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

  Lemma heaviest_first_permutation types :
    Permutation (expand types) (expand (heaviest_first weigh types)).
  Proof.
    induction types as [|[q n] rest IH]; [reflexivity|]. cbn [heaviest_first fold_right].
    fold (heaviest_first weigh rest). rewrite <- insert_type_permutation, !expand_cons.
    apply Permutation_app_head, IH.
  Qed.

  Lemma insert_type_in x types y : In y (insert_type weigh x types) <-> y = x \/ In y types.
  Proof.
    induction types as [|z rest IH]; cbn [insert_type].
    - simpl. intuition congruence.
    - destruct (_ <=? _); simpl in *; rewrite ?IH; intuition congruence.
  Qed.

  Lemma heaviest_first_in types y : In y (heaviest_first weigh types) <-> In y types.
  Proof.
    induction types as [|x rest IH]; [reflexivity|]. cbn [heaviest_first fold_right].
    fold (heaviest_first weigh rest). rewrite insert_type_in, IH. simpl. intuition congruence.
  Qed.

  (* No later type weighs more. *)
  Fixpoint falling (types : list (request * Z)) : Prop :=
    match types with
    | [] => True
    | x :: rest => (forall y, In y rest -> W (fst y) <= W (fst x)) /\ falling rest
    end.

  Lemma insert_type_falling x types : falling types -> falling (insert_type weigh x types).
  Proof.
    induction types as [|y rest IH]; intros H.
    - simpl. split; [intros z []|exact I].
    - destruct H as [H1 H2]. cbn [insert_type]. destruct (Z.leb_spec (fst (weigh (fst y))) (fst (weigh (fst x)))).
      + split; [|split; assumption]. intros z [<-|Hz]; [assumption|]. specialize (H1 z Hz). unfold W in *. lia.
      + split; [|apply IH, H2]. intros z Hz. apply insert_type_in in Hz as [->|Hz]; [unfold W; lia|auto].
  Qed.

  Lemma heaviest_first_falling types : falling (heaviest_first weigh types).
  Proof.
    induction types as [|x rest IH]; [exact I|]. cbn [heaviest_first fold_right].
    apply insert_type_falling, IH.
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

  Lemma doubled_spec types larger : (forall x, In x types -> 0 <= snd x) -> falling types ->
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

  Lemma totalQ_app {A : Type} (f : A -> Q) l l' : (totalQ f (l ++ l') == totalQ f l + totalQ f l')%Q.
  Proof. induction l as [|x l IH]; cbn [app totalQ]; [lra|]. rewrite IH. ring. Qed.

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
End Weights.

(* With memory weights, and 0 <= releases; about the completion times. *)
Lemma busy_memory_below M types requests l :
  0 < M -> Permutation requests (expand types) ->
  (forall x, In x types -> 0 <= snd x /\ valid_request (fst x)) ->
  schedule M requests l -> busy_integer M weigh_memory types <= completions l.
Proof.
  intros HM Hperm Htypes Hl.
  apply (busy_integer_below memory_weights weigh_memory M HM types requests); [exact Hperm| |].
  - intros x Hx. destruct (Htypes x Hx) as [Hn Hq]. pose proof Hq as [Hs Ho].
    assert (Hw := memory_whole (fst x) ltac:(lia)). split; [exact Hn|]. split.
    + unfold weigh_memory. rewrite Hw. f_equal.
      pose proof (memory_moment (prompt (fst x)) (Z.to_nat (output (fst x)))) as Hm.
      rewrite Z2Nat.id in Hm by lia. unfold moment, memory_weights. rewrite Hm. ring.
    + rewrite Hw. apply area_pos, Hq.
  - apply (busy_time_memory M requests l HM Hl).
Qed.

(* The rule "busy-time": what is returned is at most the cost of every schedule. *)
Theorem busy_sound slots M types result requests l :
  busy_check slots M types = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold busy_check. intros Hresult Hperm Hl.
  destruct ((1 <=? M) && forallb _ types) eqn:E; [|discriminate].
  apply andb_true_iff in E as [HM Htypes]. rewrite forallb_forall in Htypes.
  assert (Hzero : at_once requests).
  { apply (at_once_expand types); [|exact Hperm]. intros x Hx. specialize (Htypes x Hx). lia. }
  rewrite (cost_at_once M requests l Hl Hzero).
  assert (Hout : total (fun x => snd x * output (fst x)) types <= completions l).
  { rewrite <- total_expand by (intros x Hx; specialize (Htypes x Hx); lia).
    rewrite <- (total_permutation _ _ _ Hperm). apply (output_bound M requests l Hl). }
  destruct slots.
  - destruct ((M / (smallest_prompt types + 1) <=? 64) && _) eqn:Hslots; [|discriminate].
    apply andb_true_iff in Hslots as [_ Hpos]. rewrite forallb_forall in Hpos.
    inversion Hresult. subst result. clear Hresult. apply Z.max_lub; [exact Hout|].
    set (s_min := smallest_prompt types).
    assert (Hmin : forall q, In q requests -> 0 <= s_min <= prompt q).
    { intros q Hq. apply (Permutation_in _ Hperm) in Hq. apply in_expand in Hq as (n & Hq).
      split; [|apply (smallest_prompt_le types q n), Hq].
      apply smallest_prompt_nonneg. intros y Hy. specialize (Htypes y Hy). lia. }
    assert (Hunit : M <= slot_unit M) by (unfold slot_unit; lia).
    pose proof (busy_time_slots M s_min (slot_unit M) requests l Hl Hunit Hmin) as Hbound.
    apply (busy_integer_below (slot_weights M s_min (slot_unit M)) (weigh_slots M s_min)
      (slot_unit M) ltac:(lia) types requests); [exact Hperm| |exact Hbound].
    intros x Hx. specialize (Hpos x Hx). specialize (Htypes x Hx). fold s_min in Hpos.
    cbv beta zeta delta [weigh_slots] in Hpos. cbn [fst] in Hpos. repeat split; lia.
  - inversion Hresult. apply Z.max_lub; [exact Hout|].
    apply (busy_memory_below M types requests l); [lia|exact Hperm| |exact Hl].
    intros x Hx. specialize (Htypes x Hx). repeat split; lia.
Qed.
