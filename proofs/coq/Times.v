(* When areas can have found room, at the earliest: the bound "to_come" of the rule "exhaustive". *)

From Coq Require Import ZArith List Lia Bool Permutation Sorted.
From Kvopt Require Import Model Sums Staircase Area BusyTime.
Import ListNotations.
Open Scope Z_scope.

(* A profile p says how many tokens are taken in each of the coming rounds, none after its end.
   `advance` lets whole rounds pass until the room left by them is `need`; what is left of the
   profile, the room, and the number of rounds. *)
Fixpoint advance (M need : Z) (p : list Z) (room now : Z) : list Z * (Z * Z) :=
  if room <? need then
    match p with
    | [] => ([], (room, now))
    | x :: p' => advance M need p' (room + (M - x)) (now + 1)
    end
  else (p, (room, now)).

(* The sum over i of the first time at which the first i areas have room. *)
Fixpoint times (M : Z) (areas : list Z) (need : Z) (p : list Z) (room now : Z) : Z :=
  match areas with
  | [] => 0
  | a :: rest =>
      let need' := need + a in
      let '(p', (room', now')) := advance M need' p room now in
      (if need' <=? room' then now' else now' + ceil_div (need' - room') M)
      + times M rest need' p' room' now'
  end.

(* --- Proofs ------------------------------------------------------------------------------ *)

(* The room after k rounds. *)
Definition room_after (M : Z) (p : list Z) (room : Z) (k : nat) : Z :=
  room + sum_below k (fun j => M - nth j p 0).

Lemma room_after_step M x p room k :
  room_after M (x :: p) room (S k) = room_after M p (room + (M - x)) k.
Proof.
  unfold room_after. change (S k) with (1 + k)%nat. rewrite sum_below_split.
  cbn [sum_below nth Nat.add]. lia.
Qed.

(* Whenever there is enough room, at c >= now, the clock has not gone past c. *)
Lemma advance_spec M need p room now : forall p' room' now',
  advance M need p room now = (p', (room', now')) ->
  forall c, now <= c -> need <= room_after M p room (Z.to_nat (c - now)) ->
  now' <= c /\ room_after M p' room' (Z.to_nat (c - now')) = room_after M p room (Z.to_nat (c - now))
  /\ (need <= room' \/ p' = []).
Proof.
  revert room now. induction p as [|x p IH]; intros room now p' room' now' E c Hc Henough;
    cbn [advance] in E.
  - destruct (Z.ltb_spec room need); inversion E; subst; repeat split; auto; left; lia.
  - destruct (Z.ltb_spec room need) as [Hless|]; [|inversion E; subst; repeat split; auto; left; lia].
    destruct (Z.eq_dec c now) as [->|Hne].
    { rewrite Z.sub_diag in Henough. unfold room_after in Henough. simpl in Henough. lia. }
    assert (Hk : Z.to_nat (c - now) = S (Z.to_nat (c - (now + 1)))) by lia.
    rewrite Hk, room_after_step in *. apply (IH _ _ _ _ _ E); [lia|exact Henough].
Qed.

Lemma times_le M : 1 <= M -> forall areas cs need p room now,
  length areas = length cs ->
  (forall a, In a areas -> 0 <= a) ->
  (forall i, (i < length areas)%nat ->
    now <= nth i cs 0 /\
    need + total (fun a => a) (firstn (S i) areas)
      <= room_after M p room (Z.to_nat (nth i cs 0 - now))) ->
  times M areas need p room now <= total (fun c => c) cs.
Proof.
  intros HM. induction areas as [|a areas IH]; intros [|c cs] need p room now Hlen Hpos H;
    try discriminate.
  cbn [times]. destruct (advance M (need + a) p room now) as [p' [room' now']] eqn:E.
  pose proof (advance_spec M (need + a) p room now p' room' now' E) as Hadv.
  assert (Hprefix : forall i, (i < S (length areas))%nat ->
      need + a <= need + total (fun a => a) (firstn (S i) (a :: areas))).
  { intros i Hi. cbn [firstn total].
    assert (0 <= total (fun a => a) (firstn i areas)); [|lia].
    apply total_nonneg. intros y Hy. apply Hpos. right.
    rewrite <- (firstn_skipn i areas). apply in_or_app. auto. }
  assert (Hfirst : (if need + a <=? room' then now' else now' + ceil_div (need + a - room') M) <= c).
  { destruct (H O ltac:(cbn [length]; lia)) as [Hnow Henough]. cbn [nth] in *.
    specialize (Hprefix O ltac:(lia)).
    destruct (Hadv c Hnow ltac:(lia)) as (Hle & Hroom & Hend).
    destruct (Z.leb_spec (need + a) room') as [|Hmore]; [exact Hle|].
    destruct Hend as [|Hend]; [lia|]. subst p'.
    assert (Hfree : room_after M [] room' (Z.to_nat (c - now')) = room' + M * (c - now')).
    { unfold room_after. rewrite (sum_below_ext _ _ (fun _ => M)).
      - rewrite sum_below_const. rewrite Z2Nat.id by lia. reflexivity.
      - intros j _. destruct j; simpl; lia. }
    unfold ceil_div.
    assert (- (c - now') <= - (need + a - room') / M); [|lia].
    apply Z.div_le_lower_bound; lia. }
  cbn [total]. apply Z.add_le_mono; [exact Hfirst|]. apply IH.
  - cbn [length] in Hlen. lia.
  - intros y Hy. apply Hpos. right. exact Hy.
  - intros i Hi. destruct (H (S i) ltac:(cbn [length]; lia)) as [Hnow Henough].
    cbn [nth] in Hnow, Henough. specialize (Hprefix (S i) ltac:(lia)).
    destruct (Hadv (nth i cs 0) Hnow ltac:(lia)) as (Hle & Hroom & _).
    split; [exact Hle|]. rewrite Hroom. cbn [firstn total] in *. lia.
Qed.

(* The first i of a sorted list add up to no more than any i of its entries. *)
Lemma sorted_prefix_step x s i : StronglySorted Z.le (x :: s) -> (i <= length s)%nat ->
  total (fun a => a) (firstn i (x :: s)) <= total (fun a => a) (firstn i s).
Proof.
  revert x i. induction s as [|y s IH]; intros x i Hs Hi; cbn [length] in Hi.
  - replace i with O by lia. simpl. lia.
  - destruct i as [|i]; [simpl; lia|].
    inversion Hs as [|? ? Hs' Hx]. subst. inversion Hx. subst.
    specialize (IH y i Hs' ltac:(lia)). cbn [firstn total] in *.
    destruct i as [|i]; cbn [firstn total] in *; lia.
Qed.

Lemma sorted_prefix s l1 l2 : StronglySorted Z.le s -> Permutation s (l1 ++ l2) ->
  total (fun a => a) (firstn (length l1) s) <= total (fun a => a) l1.
Proof.
  revert l1 l2. induction s as [|x s IH]; intros l1 l2 Hs Hp.
  - apply Permutation_nil in Hp. apply app_eq_nil in Hp as [-> _]. simpl. lia.
  - inversion Hs as [|? ? Hs' _]. subst.
    assert (Hx : In x (l1 ++ l2)) by (apply (Permutation_in _ Hp); simpl; auto).
    apply in_app_or in Hx as [Hx|Hx].
    + destruct (in_split x l1 Hx) as (u & v & ->).
      assert (Hp' : Permutation s ((u ++ v) ++ l2)).
      { apply (Permutation_cons_inv (a := x)). rewrite Hp, <- !app_assoc. cbn [app].
        symmetry. apply Permutation_middle. }
      specialize (IH _ _ Hs' Hp').
      replace (length (u ++ x :: v)) with (S (length (u ++ v)))
        by (rewrite !app_length; cbn [length]; lia).
      cbn [firstn total]. rewrite total_app in *. cbn [total]. lia.
    + destruct (in_split x l2 Hx) as (u & v & ->).
      assert (Hp' : Permutation s (l1 ++ (u ++ v))).
      { apply (Permutation_cons_inv (a := x)). rewrite Hp, !app_assoc.
        symmetry. apply Permutation_middle. }
      eapply Z.le_trans; [|apply (IH _ _ Hs' Hp')]. apply sorted_prefix_step; [exact Hs|].
      apply Permutation_length in Hp'. rewrite Hp', app_length. lia.
Qed.

(* Attempts with the first to complete first. *)
Fixpoint rising (l : list attempt) : Prop :=
  match l with
  | [] => True
  | x :: rest => (forall y, In y rest -> completion x <= completion y) /\ rising rest
  end.

Lemma rising_exists l : exists l', Permutation l l' /\ rising l'.
Proof.
  destruct (sorted_exists (fun a => - completion a) l) as (l' & Hp & Hd). exists l'.
  split; [exact Hp|]. clear Hp. induction l' as [|x l' IH]; [exact I|]. destruct Hd as [H1 H2].
  split; [|apply IH, H2]. intros y Hy. specialize (H1 y Hy). cbv beta in H1. lia.
Qed.

Lemma rising_nth l i x : rising l -> (i < length l)%nat ->
  forall y, In y (firstn (S i) l) -> completion y <= completion (nth i l x).
Proof.
  revert i. induction l as [|z l IH]; intros i Hr Hi y Hy; cbn [length] in Hi; [lia|].
  destruct Hr as [H1 H2]. destruct i as [|i].
  - cbn [firstn] in Hy. destruct Hy as [<-|[]]. cbn [nth]. lia.
  - cbn [nth]. cbn [firstn] in Hy. destruct Hy as [<-|Hy].
    + apply H1, nth_In. lia.
    + apply (IH i H2 ltac:(lia) y). exact Hy.
Qed.

(* What completes by time T has found room beside the profile. *)
Lemma work_beside M p l T : Forall valid l ->
  (forall j, memory l (Z.of_nat j + 1) + nth j p 0 <= M) -> 0 <= T ->
  total (fun a => if completion a <=? T then area (of a) else 0) l <= room_after M p 0 (Z.to_nat T).
Proof.
  intros Hvalid Hfits HT. rewrite Forall_forall in Hvalid. set (n := Z.to_nat T).
  transitivity (total (fun a => sum_below n (fun j => use a (Z.of_nat j + 1))) l).
  - apply total_le. intros a Ha. destruct (completion a <=? T) eqn:E.
    + rewrite area_used; [lia|apply Hvalid, Ha|unfold n; lia].
    + apply sum_below_nonneg. intros. apply use_nonneg, Hvalid, Ha.
  - rewrite total_sum_below. unfold room_after. rewrite Z.add_0_l. apply sum_below_le.
    intros j _. specialize (Hfits j). unfold memory in Hfits. lia.
Qed.

(* The bound. *)
Lemma times_bound M p areas requests l :
  1 <= M -> schedule M requests l ->
  (forall j, memory l (Z.of_nat j + 1) + nth j p 0 <= M) ->
  StronglySorted Z.le areas -> Permutation areas (map area requests) ->
  times M areas 0 p 0 0 <= completions l.
Proof.
  intros HM (Hof & Hvalid & _) Hfits Hsorted Hperm.
  destruct (rising_exists l) as (l' & Hp & Hrising).
  unfold completions. rewrite (total_permutation completion _ _ Hp).
  replace (total completion l') with (total (fun c => c) (map completion l'))
    by (rewrite total_map; reflexivity).
  assert (Hareas : Permutation areas (map (fun a => area (of a)) l')).
  { rewrite Hperm, <- Hof, map_map. apply Permutation_map, Hp. }
  assert (Hv : forall a, In a l' -> valid a).
  { intros a Ha. rewrite Forall_forall in Hvalid. apply Hvalid, (Permutation_in _ (Permutation_sym Hp)), Ha. }
  assert (Hpos : forall a, In a l' -> 0 <= area (of a)).
  { intros a Ha. apply Z.lt_le_incl, area_pos, (Hv a Ha). }
  assert (Hlen : length areas = length l').
  { apply Permutation_length in Hareas. rewrite map_length in Hareas. exact Hareas. }
  apply times_le; [exact HM|rewrite map_length; exact Hlen| |].
  - intros x Hx. apply (Permutation_in _ Hareas) in Hx. apply in_map_iff in Hx as (a & <- & Ha). auto.
  - intros i Hi. rewrite Hlen in Hi. destruct l' as [|a0 l0] eqn:El; [simpl in Hi; lia|].
    rewrite <- El in *. clear El.
    rewrite (nth_indep _ 0 (completion a0)) by (rewrite map_length; exact Hi).
    rewrite map_nth. set (b := nth i l' a0). assert (Hb : In b l') by (apply nth_In, Hi).
    assert (Hc : 0 <= completion b).
    { destruct (Hv b Hb) as [[_ Ho] Hs]. unfold completion. lia. }
    split; [exact Hc|]. rewrite Z.add_0_l, Z.sub_0_r.
    eapply Z.le_trans; [|apply (work_beside M p l (completion b) Hvalid Hfits Hc)].
    rewrite (total_permutation _ _ _ Hp), <- (firstn_skipn (S i) l'), total_app.
    assert (Hrest : 0 <= total (fun a => if completion a <=? completion b then area (of a) else 0)
        (skipn (S i) l')).
    { apply total_nonneg. intros a Ha. destruct (_ <=? _); [|lia]. apply Hpos.
      rewrite <- (firstn_skipn (S i) l'). apply in_or_app. auto. }
    assert (Hhead : total (fun a => if completion a <=? completion b then area (of a) else 0)
        (firstn (S i) l') = total (fun a => a) (map (fun a => area (of a)) (firstn (S i) l'))).
    { rewrite total_map. apply total_ext. intros a Ha.
      pose proof (rising_nth l' i a0 Hrising Hi a Ha). fold b in H.
      destruct (Z.leb_spec (completion a) (completion b)); lia. }
    rewrite Hhead.
    assert (total (fun a => a) (firstn (S i) areas) <=
        total (fun a => a) (map (fun a => area (of a)) (firstn (S i) l'))); [|lia].
    pose proof (sorted_prefix areas (map (fun a => area (of a)) (firstn (S i) l'))
      (map (fun a => area (of a)) (skipn (S i) l')) Hsorted) as Hmin.
    rewrite <- map_app, firstn_skipn in Hmin. specialize (Hmin Hareas).
    rewrite map_length, firstn_length_le in Hmin by lia. exact Hmin.
Qed.
