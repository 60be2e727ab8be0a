(* Linear rows of starts, for the rule "event-order": what multipliers of them prove (Theorem 6 of
   event_order.md), and the row of an area (Lemma 4).

   Requests have names, 1, 2, ..., so that tables of them are small trees. *)

From Coq Require Import ZArith List Lia Bool Permutation FMapPositive.
From Kvopt Require Import Model Sums Area BusyTime.
Import ListNotations.
Open Scope Z_scope.

(* --- Tables ------------------------------------------------------------------------------ *)

Definition look {A : Type} (default : A) (k : positive) (t : PositiveMap.t A) : A :=
  match PositiveMap.find k t with Some x => x | None => default end.

(* The names of the members of a list, and the table of these. *)
Fixpoint names_from {A : Type} (k : positive) (l : list A) : list positive :=
  match l with
  | [] => []
  | _ :: rest => k :: names_from (Pos.succ k) rest
  end.
Fixpoint table_from {A : Type} (k : positive) (l : list A) : PositiveMap.t A :=
  match l with
  | [] => PositiveMap.empty A
  | x :: rest => PositiveMap.add k x (table_from (Pos.succ k) rest)
  end.

(* No name stands twice in a list, and none of those that were seen before does. *)
Fixpoint each_once (seen : PositiveMap.t unit) (l : list positive) : bool :=
  match l with
  | [] => true
  | k :: rest =>
      match PositiveMap.find k seen with
      | Some _ => false
      | None => each_once (PositiveMap.add k tt seen) rest
      end
  end.

(* --- Rows -------------------------------------------------------------------------------- *)

(* The sum of coefficient times start over some requests is at least something. *)
Record start_row := StartRow { terms : list (positive * Z); at_least : Z }.
Definition satisfies (p : positive -> Z) (x : start_row) : Prop :=
  at_least x <= total (fun y => snd y * p (fst y)) (terms x).

(* The coefficients of a row, times its multiplier, added to those of others. *)
Definition add_terms (y : Z) (x : start_row) (c : PositiveMap.t Z) : PositiveMap.t Z :=
  fold_left (fun c z => PositiveMap.add (fst z) (look 0 (fst z) c + y * snd z) c) (terms x) c.

(* What coefficients and the right-hand side that belongs to them prove of the sum of the starts, if
   these are at least the heads. *)
Definition rows_value (scale : Z) (names : list positive) (heads c : PositiveMap.t Z) (value : Z) :
    option Z :=
  if forallb (fun k => look 0 k c <=? scale) names
  then Some (ceil_div (value + total (fun k => (scale - look 0 k c) * look 0 k heads) names) scale)
  else None.

(* --- Areas ------------------------------------------------------------------------------- *)

(* The weights w of BusyTime.v, in general: a run of q counts w q x in its round x.  Their sum is
   `whole w q`, and that of x w q x: *)
Definition first_moment (w : request -> Z -> Z) (q : request) : Z :=
  sum_below (Z.to_nat (output q)) (fun j => (Z.of_nat j + 1) * w q (Z.of_nat j + 1)).

(* The sum of the rounds in which V stands, if R stand in each of the rounds after e, as long as
   there are as many. *)
Definition filled (R V e : Z) : Z :=
  let full := V / R in
  R * (e * full + full * (full + 1) / 2) + (V - full * R) * (e + full + 1).

(* The tokens of a request are such weights. *)
Definition run_tokens (q : request) (x : Z) : Z := prompt q + x.
Definition token_moment (q : request) : Z :=
  (3 * prompt q * output q * (output q + 1) + output q * (output q + 1) * (2 * output q + 1)) / 6.

(* --- Proofs: tables ---------------------------------------------------------------------- *)

Lemma look_same {A : Type} (d x : A) k t : look d k (PositiveMap.add k x t) = x.
Proof. unfold look. rewrite PositiveMap.gss. reflexivity. Qed.

Lemma look_other {A : Type} (d x : A) k k' t : k <> k' -> look d k (PositiveMap.add k' x t) = look d k t.
Proof. intros H. unfold look. rewrite PositiveMap.gso by exact H. reflexivity. Qed.

Lemma look_empty {A : Type} (d : A) k : look d k (PositiveMap.empty A) = d.
Proof. unfold look. rewrite PositiveMap.gempty. reflexivity. Qed.

Lemma names_ge {A : Type} (l : list A) : forall k x, In x (names_from k l) -> (k <= x)%positive.
Proof.
  induction l as [|y l IH]; intros k x H; cbn [names_from] in H; [destruct H|].
  destruct H as [<-|H]; [lia|]. specialize (IH _ _ H). lia.
Qed.

Lemma names_once {A : Type} (l : list A) : forall k, NoDup (names_from k l).
Proof.
  induction l as [|y l IH]; intros k; cbn [names_from]; constructor; [|apply IH].
  intros H. apply names_ge in H. lia.
Qed.

Lemma names_map {A B : Type} (f : A -> B) l : forall k, names_from k (map f l) = names_from k l.
Proof. induction l as [|x l IH]; intros k; cbn [map names_from]; [reflexivity|]. rewrite IH. reflexivity. Qed.

Lemma look_names {A : Type} (d : A) l : forall k, map (fun x => look d x (table_from k l)) (names_from k l) = l.
Proof.
  induction l as [|y l IH]; intros k; cbn [names_from table_from map]; [reflexivity|].
  rewrite look_same. f_equal. rewrite <- (IH (Pos.succ k)) at 2. apply map_ext_in. intros x Hx.
  apply look_other. apply names_ge in Hx. lia.
Qed.

Lemma table_map {A B : Type} (f : A -> B) l : forall k x,
  PositiveMap.find x (table_from k (map f l)) = option_map f (PositiveMap.find x (table_from k l)).
Proof.
  induction l as [|y l IH]; intros k x; cbn [map table_from].
  - rewrite !PositiveMap.gempty. reflexivity.
  - destruct (Pos.eq_dec x k) as [->|Hne].
    + rewrite !PositiveMap.gss. reflexivity.
    + rewrite !PositiveMap.gso by exact Hne. apply IH.
Qed.

Lemma table_names {A : Type} (l : list A) : forall k x y,
  PositiveMap.find x (table_from k l) = Some y -> In x (names_from k l).
Proof.
  induction l as [|z l IH]; intros k x y H; cbn [table_from names_from] in *.
  - rewrite PositiveMap.gempty in H. discriminate.
  - destruct (Pos.eq_dec x k) as [->|Hne]; [left; reflexivity|right].
    rewrite PositiveMap.gso in H by exact Hne. apply (IH _ _ _ H).
Qed.

Lemma each_once_spec l : forall seen, each_once seen l = true ->
  NoDup l /\ forall k, In k l -> PositiveMap.find k seen = None.
Proof.
  induction l as [|k l IH]; intros seen H; cbn [each_once] in H; [split; [constructor|intros k []]|].
  destruct (PositiveMap.find k seen) as [u|] eqn:E; [discriminate|].
  destruct (IH _ H) as [Hl Hnew]. split.
  - constructor; [|exact Hl]. intros Hk. specialize (Hnew k Hk). rewrite PositiveMap.gss in Hnew. discriminate.
  - intros x [<-|Hx]; [exact E|]. specialize (Hnew x Hx). destruct (Pos.eq_dec x k) as [->|Hne]; [exact E|].
    rewrite PositiveMap.gso in Hnew by exact Hne. exact Hnew.
Qed.

(* A part of what is not below 0 adds up to no more than all of it. *)
Lemma total_incl {A : Type} (f : A -> Z) l : forall l', NoDup l -> incl l l' ->
  (forall x, In x l' -> 0 <= f x) -> total f l <= total f l'.
Proof.
  induction l as [|x l IH]; intros l' Hl Hincl Hf; cbn [total]; [apply total_nonneg, Hf|].
  inversion Hl as [|x' l'' Hx Hnd]; subst.
  destruct (in_split x l' (Hincl x (or_introl eq_refl))) as (l1 & l2 & ->).
  rewrite total_app. cbn [total]. specialize (IH (l1 ++ l2) Hnd). rewrite total_app in IH.
  assert (total f l <= total f l1 + total f l2); [|lia]. apply IH.
  - intros y Hy. specialize (Hincl y (or_intror Hy)). rewrite in_app_iff in *. cbn [In] in Hincl.
    destruct Hincl as [H|[<-|H]]; [auto|contradiction|auto].
  - intros y Hy. apply Hf. rewrite in_app_iff in *. cbn [In]. destruct Hy; auto.
Qed.

(* --- Proofs: Theorem 6 ------------------------------------------------------------------- *)

(* The sum of coefficient times start. *)
Definition start_sum (p : positive -> Z) (names : list positive) (c : PositiveMap.t Z) : Z :=
  total (fun k => look 0 k c * p k) names.

Lemma start_sum_add p names c k x : NoDup names -> In k names ->
  start_sum p names (PositiveMap.add k (look 0 k c + x) c) = start_sum p names c + x * p k.
Proof.
  intros Hnd Hk. unfold start_sum. destruct (in_split k names Hk) as (l1 & l2 & ->).
  apply NoDup_remove in Hnd as [_ Hnot]. rewrite !total_app. cbn [total]. rewrite look_same.
  assert (E : forall l, (forall y, In y l -> In y (l1 ++ l2)) ->
      total (fun y => look 0 y (PositiveMap.add k (look 0 k c + x) c) * p y) l = total (fun y => look 0 y c * p y) l).
  { intros l Hl. apply total_ext. intros y Hy. rewrite look_other; [reflexivity|].
    intros ->. apply Hnot, Hl, Hy. }
  rewrite !E by (intros y Hy; apply in_or_app; auto). ring.
Qed.

Lemma start_sum_add_terms p names y x : NoDup names ->
  forall c, (forall z, In z (terms x) -> In (fst z) names) ->
  start_sum p names (add_terms y x c) = start_sum p names c + y * total (fun z => snd z * p (fst z)) (terms x).
Proof.
  intros Hnd. destruct x as [l b]. unfold add_terms. cbn [terms].
  induction l as [|z l IH]; intros c Hin; cbn [fold_left total]; [lia|].
  rewrite IH by (intros z' Hz; apply Hin; right; exact Hz).
  rewrite start_sum_add; [|exact Hnd|apply Hin; left; reflexivity].
  rewrite Z.mul_add_distr_l, Z.mul_assoc, Z.add_assoc. reflexivity.
Qed.

(* Rows with multipliers y >= 0 add up. *)
Definition add_rows (rows : list (Z * start_row)) (c : PositiveMap.t Z) (value : Z) :
    PositiveMap.t Z * Z :=
  fold_left (fun s x => (add_terms (fst x) (snd x) (fst s), snd s + fst x * at_least (snd x))) rows (c, value).

Lemma add_row_start_sum p names y x c value : NoDup names -> 0 <= y -> satisfies p x ->
  (forall z, In z (terms x) -> In (fst z) names) -> value <= start_sum p names c ->
  value + y * at_least x <= start_sum p names (add_terms y x c).
Proof.
  intros Hnd Hy Hx Hin Hvalue. rewrite start_sum_add_terms by assumption. unfold satisfies in Hx. nia.
Qed.

Lemma rows_value_le scale names heads c value p b :
  rows_value scale names heads c value = Some b -> 1 <= scale -> value <= start_sum p names c ->
  (forall k, In k names -> look 0 k heads <= p k) -> b <= total p names.
Proof.
  unfold rows_value. intros H Hscale Hvalue Hheads. destruct (forallb _ names) eqn:Hok; [|discriminate].
  inversion H as [E]. clear H. rewrite forallb_forall in Hok.
  assert (Hsum : value + total (fun k => (scale - look 0 k c) * look 0 k heads) names <= scale * total p names).
  { rewrite <- total_scale. unfold start_sum in Hvalue.
    rewrite (total_ext (fun k => scale * p k) (fun k => look 0 k c * p k + (scale - look 0 k c) * p k)) by (intros; ring).
    rewrite total_add.
    assert (total (fun k => (scale - look 0 k c) * look 0 k heads) names <= total (fun k => (scale - look 0 k c) * p k) names);
      [|lia].
    apply total_le. intros k Hk. specialize (Hok k Hk). specialize (Hheads k Hk).
    apply Z.mul_le_mono_nonneg_l; lia. }
  unfold ceil_div.
  assert (- total p names <= - (value + total (fun k => (scale - look 0 k c) * look 0 k heads) names) / scale); [|lia].
  apply Z.div_le_lower_bound; lia.
Qed.

Lemma added_rows names rows p : NoDup names ->
  (forall x, In x rows -> 0 <= fst x /\ satisfies p (snd x) /\ forall z, In z (terms (snd x)) -> In (fst z) names) ->
  snd (add_rows rows (PositiveMap.empty Z) 0) <= start_sum p names (fst (add_rows rows (PositiveMap.empty Z) 0)).
Proof.
  intros Hnd Hrows.
  assert (Hsum : forall rows' c value, (forall x, In x rows' -> In x rows) -> value <= start_sum p names c ->
      snd (add_rows rows' c value) <= start_sum p names (fst (add_rows rows' c value))).
  { unfold add_rows. induction rows' as [|x rows' IH]; intros c value Hin Hvalue; cbn [fold_left fst snd]; [exact Hvalue|].
    apply IH; [intros y Hy; apply Hin; right; exact Hy|].
    destruct (Hrows x (Hin x (or_introl eq_refl))) as (Hy & Hx & Hnames). apply add_row_start_sum; assumption. }
  apply Hsum; [auto|]. unfold start_sum. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
  intros k _. rewrite look_empty. reflexivity.
Qed.

(* Theorem 6 of event_order.md, for any rows that the starts satisfy. *)
Theorem multipliers_bound scale names heads rows p b :
  NoDup names -> 1 <= scale ->
  (forall x, In x rows -> 0 <= fst x /\ satisfies p (snd x) /\ forall z, In z (terms (snd x)) -> In (fst z) names) ->
  (forall k, In k names -> look 0 k heads <= p k) ->
  (let (c, value) := add_rows rows (PositiveMap.empty Z) 0 in rows_value scale names heads c value) = Some b ->
  b <= total p names.
Proof.
  intros Hnd Hscale Hrows Hheads H. pose proof (added_rows names rows p Hnd Hrows) as Hsum.
  destruct (add_rows rows (PositiveMap.empty Z) 0) as [c value]. cbn [fst snd] in Hsum.
  apply (rows_value_le _ _ _ _ _ _ _ H Hscale Hsum Hheads).
Qed.

(* --- Proofs: Lemma 4 --------------------------------------------------------------------- *)

(* What an attempt weighs, times the round less c. *)
Lemma weight_rounds w c a T : valid a -> completion a <= Z.of_nat T ->
  sum_below T (fun j => (Z.of_nat j + 1 - c) * weight w a (Z.of_nat j + 1)) =
  whole w (of a) * (start a - c) + first_moment w (of a).
Proof.
  intros Ha HT. rewrite (sum_below_ext T _ (fun j => weight w a (Z.of_nat j + 1) * (fun r => r - c) (Z.of_nat j + 1)))
    by (intros; ring).
  rewrite (weight_sum w a T (fun r => r - c) Ha HT).
  unfold whole, first_moment. rewrite Z.mul_comm, <- sum_below_scale, <- sum_below_add.
  apply sum_below_ext. intros j _. ring.
Qed.

(* Lemma 4 of event_order.md, for any weights of which at most R run in each round. *)
Theorem area_row w R e l :
  0 <= e -> (forall a, In a l -> valid a /\ e <= start a) ->
  (forall a x, In a l -> 1 <= x <= output (of a) -> 0 <= w (of a) x) ->
  (forall r, total (fun a => weight w a r) l <= R) ->
  filled R (total (fun a => whole w (of a)) l) e <=
  total (fun a => whole w (of a) * start a + first_moment w (of a)) l.
Proof.
  intros He Hl Hf HR. set (V := total (fun a => whole w (of a)) l).
  assert (Huse : forall r a, In a l -> 0 <= weight w a r).
  { intros r a Ha. unfold weight. destruct (Z.ltb_spec (start a) r), (Z.leb_spec r (completion a)); cbn [andb]; try lia.
    apply Hf; [exact Ha|]. unfold completion in *. lia. }
  assert (HV : 0 <= V).
  { apply total_nonneg. intros a Ha. apply sum_below_nonneg. intros j Hj. apply Hf; [exact Ha|lia]. }
  assert (HR0 : 0 <= R) by (eapply Z.le_trans; [|apply (HR 0)]; apply total_nonneg; intros; apply Huse; assumption).
  unfold filled. set (full := V / R).
  assert (Hfull : 0 <= full).
  { unfold full. destruct (Z.eq_dec R 0) as [->|Hne]; [rewrite Zdiv_0_r; lia|apply Z.div_pos; lia]. }
  assert (Hhalf : 2 * (full * (full + 1) / 2) = full * (full + 1)).
  { pose proof (vol_double 0 full) as H. unfold vol in H. lia. }
  set (half := full * (full + 1) / 2) in *. clearbody full half. set (c := e + full + 1).
  assert (Hcompletion : forall a, In a l -> 0 <= completion a).
  { intros a Ha. destruct (Hl a Ha) as [[[_ Ho] _] Hs]. unfold completion. lia. }
  set (T := Z.to_nat (total completion l + e + full)).
  assert (HT : forall a, In a l -> completion a <= Z.of_nat T).
  { intros a Ha. assert (completion a <= total completion l); [|unfold T; lia].
    destruct (in_split a l Ha) as (l1 & l2 & E). rewrite E, total_app. cbn [total].
    assert (0 <= total completion l1) by (apply total_nonneg; intros; apply Hcompletion; rewrite E; apply in_or_app; auto).
    assert (0 <= total completion l2)
      by (apply total_nonneg; intros; apply Hcompletion; rewrite E; apply in_or_app; right; right; assumption). lia. }
  assert (E : total (fun a => whole w (of a) * start a + first_moment w (of a)) l =
      c * V + sum_below T (fun j => (Z.of_nat j + 1 - c) * total (fun a => weight w a (Z.of_nat j + 1)) l)).
  { rewrite (sum_below_ext T _ (fun j => total (fun a => (Z.of_nat j + 1 - c) * weight w a (Z.of_nat j + 1)) l))
      by (intros; rewrite total_scale; reflexivity).
    rewrite <- total_sum_below. unfold V. rewrite <- total_scale, <- total_add. apply total_ext. intros a Ha.
    rewrite weight_rounds by (try apply Hl; try apply HT; exact Ha). ring. }
  assert (Hle : - (R * half) <= sum_below T (fun j => (Z.of_nat j + 1 - c) * total (fun a => weight w a (Z.of_nat j + 1)) l)).
  { assert (Htotal : 0 <= total completion l) by (apply total_nonneg, Hcompletion).
    set (n := Z.to_nat e). set (m := Z.to_nat full).
    replace T with (n + (m + (T - n - m)))%nat by (unfold T, n, m; lia). rewrite !sum_below_split.
    assert (H1 : 0 <= sum_below n (fun j => (Z.of_nat j + 1 - c) * total (fun a => weight w a (Z.of_nat j + 1)) l)).
    { apply sum_below_nonneg. intros j Hj. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
      intros a Ha. destruct (Hl a Ha) as [_ Hs]. unfold weight.
      destruct (Z.ltb_spec (start a) (Z.of_nat j + 1)); [unfold n in Hj; lia|reflexivity]. }
    assert (H3 : 0 <= sum_below (T - n - m) (fun j => (Z.of_nat (n + (m + j)) + 1 - c) *
        total (fun a => weight w a (Z.of_nat (n + (m + j)) + 1)) l)).
    { apply sum_below_nonneg. intros j _. apply Z.mul_nonneg_nonneg; [unfold n, m, c; lia|].
      apply total_nonneg. intros a Ha. apply Huse, Ha. }
    assert (H2 : sum_below m (fun j => (Z.of_nat j - full) * R) <=
        sum_below m (fun j => (Z.of_nat (n + j) + 1 - c) * total (fun a => weight w a (Z.of_nat (n + j) + 1)) l)).
    { apply sum_below_le. intros j Hj. replace (Z.of_nat (n + j) + 1 - c) with (Z.of_nat j - full) by (unfold n, c; lia).
      apply Z.mul_le_mono_nonpos_l; [unfold m in Hj; lia|apply HR]. }
    assert (H4 : sum_below m (fun j => (Z.of_nat j - full) * R) = - (R * half)).
    { rewrite (sum_below_ext m _ (fun j => R * (Z.of_nat j + - full))) by (intros; ring).
      rewrite sum_below_scale, sum_below_add, sum_below_const. pose proof (sum_below_id m) as H.
      unfold m in *. rewrite Z2Nat.id in * by exact Hfull.
      change (fun j => Z.of_nat j) with Z.of_nat. set (sum := sum_below _ Z.of_nat) in *.
      replace (sum + - full * full) with (- half) by nia.
      ring. }
    lia. }
  assert (E' : R * (full * full) = 2 * (R * half) - R * full) by nia.
  replace (R * (e * full + half) + (V - full * R) * (e + full + 1)) with (c * V - R * half) by (unfold c; lia).
  rewrite E. lia.
Qed.

(* The weights of tokens. *)
Lemma run_tokens_use a r : weight run_tokens a r = use a r.
Proof. unfold weight, use, run_tokens. destruct (_ && _); lia. Qed.

Lemma run_tokens_area q : 0 <= output q -> whole run_tokens q = area q.
Proof. intros H. unfold whole, run_tokens, area. rewrite ages_vol, Z2Nat.id by exact H. reflexivity. Qed.

Lemma run_tokens_moment q : 0 <= output q -> first_moment run_tokens q = token_moment q.
Proof.
  intros H. unfold token_moment. set (n := Z.to_nat (output q)).
  assert (E : forall n, 6 * sum_below n (fun j => (Z.of_nat j + 1) * run_tokens q (Z.of_nat j + 1)) =
    3 * prompt q * Z.of_nat n * (Z.of_nat n + 1) + Z.of_nat n * (Z.of_nat n + 1) * (2 * Z.of_nat n + 1)).
  { clear. unfold run_tokens. induction n as [|n IH]; cbn [sum_below]; [ring|].
    rewrite Z.mul_add_distr_l, IH. rewrite Nat2Z.inj_succ. unfold Z.succ. ring. }
  specialize (E n). unfold first_moment. fold n. unfold n in E at 2 3 4 5 6. rewrite Z2Nat.id in E by exact H.
  rewrite <- E, Z.mul_comm, Z.div_mul by lia. reflexivity.
Qed.
