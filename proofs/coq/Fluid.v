(* The busy-time bound with releases: Theorem 1 of release_times.md.

   The fluid is looked at by request, the lightest first: each takes the free time from its release
   on.  What is taken are blocks; the moment of their weight is no more than in any schedule. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation.
From Kvopt Require Import Model Sums Staircase Prices Area Spacing BusyTime.
Import ListNotations.
Open Scope Z_scope.

(* A block is its beginning b and its length v, in units of 1 / c of a round; blocks are in order
   of time.  One more, joined with those that it meets. *)
Fixpoint fill (b v : Z) (blocks : list (Z * Z)) : list (Z * Z) :=
  match blocks with
  | [] => [(b, v)]
  | (b', v') :: rest =>
      if b' + v' <? b then (b', v') :: fill b v rest
      else if b + v <? b' then (b, v) :: blocks
      else fill (Z.min b b') (v + v') rest
  end.

(* The sum of 2 u + 1 over all units of time u of the blocks. *)
Definition block_moments (blocks : list (Z * Z)) : Z := total (fun x => (2 * fst x + snd x) * snd x) blocks.

(* Twice the mean busy times in the fluid, in units of 1 / fine, rounded down; types with the
   largest W first. *)
Fixpoint fluid (fine c : Z) (W : request -> Z) (types : list (request * Z)) : list (Z * Z) * Z :=
  match types with
  | [] => ([], 0)
  | (q, n) :: rest =>
      let (blocks, sum) := fluid fine c W rest in
      let blocks' := fill (c * release q) (n * W q) blocks in
      (blocks', sum + (block_moments blocks' - block_moments blocks) * fine / (W q * c))
  end.

(* No later type weighs more. *)
Fixpoint falling (W : request -> Z) (types : list (request * Z)) : Prop :=
  match types with
  | [] => True
  | x :: rest => (forall y, In y rest -> W (fst y) <= W (fst x)) /\ falling W rest
  end.

(* --- Proofs ------------------------------------------------------------------------------ *)

Section Fluid.
  Context (w : request -> Z -> Z) (c fine : Z) (Hc : 0 < c) (Hfine : 0 < fine).

  (* What a block may stand for: attempts released at its beginning or later, of its weight. *)
  Definition stands_for (x : Z * Z) (l : list attempt) : Prop :=
    snd x = total (fun a => whole w (of a)) l /\ forall a, In a l -> fst x <= c * release (of a).

  Definition stand_for (blocks : list (Z * Z)) (l : list attempt) : Prop :=
    exists parts, Permutation l (concat parts) /\ Forall2 stands_for blocks parts.

  Lemma fill_spec blocks : forall b v parts l, stands_for (b, v) l -> Forall2 stands_for blocks parts ->
    stand_for (fill b v blocks) (l ++ concat parts).
  Proof.
    induction blocks as [|[b' v'] blocks IH]; intros b v parts l Hl Hparts; cbn [fill].
    - inversion Hparts. subst. exists [l]. split; [reflexivity|]. constructor; [exact Hl|constructor].
    - inversion Hparts as [|? part ? parts' Hpart Hparts']. subst. cbn [concat].
      destruct (b' + v' <? b); [|destruct (b + v <? b')].
      + destruct (IH b v parts' l Hl Hparts') as (found & Hp & Hf). exists (part :: found).
        split; [|constructor; assumption]. cbn [concat]. rewrite <- Hp, !app_assoc.
        apply Permutation_app_tail, Permutation_app_comm.
      + exists (l :: part :: parts'). split; [reflexivity|]. constructor; [exact Hl|exact Hparts].
      + rewrite app_assoc. apply IH; [|exact Hparts']. destruct Hl as [H1 H2], Hpart as [H3 H4].
        cbn [fst snd] in *. split; cbn [fst snd].
        * rewrite total_app. lia.
        * intros a Ha. apply in_app_or in Ha as [Ha|Ha]; [specialize (H2 a Ha)|specialize (H4 a Ha)]; lia.
  Qed.

  (* The weight of attempts that are all released at time b / c, or later. *)
  Lemma block_inequality b l : Forall valid l ->
    (forall a r, In a l -> 0 <= weight w a r) ->
    (forall r, total (fun a => weight w a r) l <= c) ->
    (forall a, In a l -> 0 <= whole w (of a)) ->
    (forall a, In a l -> b <= c * release (of a)) ->
    let v := total (fun a => whole w (of a)) l in (2 * b + v) * v <= c * total (busy w) l.
  Proof.
    intros Hvalid Hpos Hcap Hwhole Hb.
    assert (Hne : l = [] \/ l <> []) by (destruct l; [left; reflexivity|right; discriminate]).
    destruct Hne as [->|Hne]; [cbn; lia|]. intros v.
    (* the first release *)
    assert (Hfirst : exists r, 0 <= r /\ b <= c * r /\ forall a, In a l -> r <= release (of a)).
    { clear -Hvalid Hb Hne. rewrite Forall_forall in Hvalid.
      assert (H : forall k, k <> [] -> (forall a, In a k -> In a l) -> exists r, 0 <= r /\ b <= c * r /\
          forall a, In a k -> r <= release (of a)).
      { induction k as [|a k IH]; intros Hk0 Hk; [contradiction|].
        destruct (Hvalid a (Hk a (or_introl eq_refl))) as [_ Ha]. pose proof (Hb a (Hk a (or_introl eq_refl))).
        destruct k as [|a' k].
        - exists (release (of a)). repeat split; [lia|assumption|]. intros x [<-|[]]. lia.
        - destruct IH as (r & H1 & H2 & H3); [discriminate|intros x Hx; apply Hk; simpl; auto|].
          destruct (Z.le_gt_cases r (release (of a))) as [Hle|Hgt].
          + exists r. repeat split; auto. intros x [<-|Hx]; auto.
          + exists (release (of a)). repeat split; [lia|assumption|]. intros x [<-|Hx]; [lia|].
            specialize (H3 x Hx). lia. }
      apply (H l); [exact Hne|auto]. }
    destruct Hfirst as (r & Hr & Hbr & Hreleased).
    assert (Hset : v * v <= c * (total (busy w) l - 2 * r * v)).
    { rewrite Forall_forall in Hvalid. destruct (all_complete l) as (T & HT).
      set (m := fun j : nat => total (fun a => weight w a (Z.of_nat j + r + 1)) l).
      destruct (packed c m T ltac:(lia)) as [H _].
      { intros j. split; [apply total_nonneg; auto|apply Hcap]. }
      (* sums over rounds after r are sums over all rounds *)
      assert (Hshift : forall a g, In a l ->
          sum_below T (fun j => weight w a (Z.of_nat j + r + 1) * g (Z.of_nat j + r + 1)) =
          sum_below (Z.to_nat r + T) (fun j => weight w a (Z.of_nat j + 1) * g (Z.of_nat j + 1))).
      { intros a g Ha. rewrite sum_below_split.
        rewrite (sum_below_ext (Z.to_nat r) _ (fun _ => 0)).
        - rewrite sum_below_const, Z.mul_0_l, Z.add_0_l. apply sum_below_ext. intros j _.
          replace (Z.of_nat (Z.to_nat r + j) + 1) with (Z.of_nat j + r + 1) by lia. reflexivity.
        - intros j Hj. specialize (Hreleased a Ha). destruct (Hvalid a Ha) as [_ Hs]. unfold weight.
          destruct (Z.ltb_spec (start a) (Z.of_nat j + 1)); [lia|]. cbn [andb]. lia. }
      assert (HT' : forall a, In a l -> completion a <= Z.of_nat (Z.to_nat r + T)).
      { intros a Ha. specialize (HT a Ha). lia. }
      assert (E1 : v = sum_below T m).
      { unfold m, v. rewrite <- total_sum_below. apply total_ext. intros a Ha.
        transitivity (sum_below T (fun j => weight w a (Z.of_nat j + r + 1) * 1)).
        - rewrite (Hshift a (fun _ => 1) Ha). rewrite <- (whole_sum w a _ (Hvalid a Ha) (HT' a Ha)).
          apply sum_below_ext. intros. lia.
        - apply sum_below_ext. intros. lia. }
      assert (E2 : total (busy w) l - 2 * r * v = sum_below T (fun j => m j * (2 * (Z.of_nat j + 1) - 1))).
      { assert (E : total (busy w) l = sum_below T (fun j => m j * (2 * (Z.of_nat j + r + 1) - 1))).
        - transitivity (total (fun a => sum_below T
            (fun j => weight w a (Z.of_nat j + r + 1) * (2 * (Z.of_nat j + r + 1) - 1))) l).
          + apply total_ext. intros a Ha. rewrite (Hshift a (fun x => 2 * x - 1) Ha).
            symmetry. apply busy_sum; [apply Hvalid, Ha|apply HT', Ha].
          + rewrite total_sum_below. apply sum_below_ext. intros j _. unfold m.
            rewrite (Z.mul_comm (total _ _)), <- total_scale. apply total_ext. intros. ring.
        - rewrite E, E1, <- (sum_below_scale (2 * r)).
          assert (H' : forall n f g, sum_below n f - sum_below n g = sum_below n (fun j => f j - g j))
            by (clear; induction n; intros; cbn [sum_below]; [lia|rewrite <- IHn; lia]).
          rewrite H'. apply sum_below_ext. intros. ring. }
      rewrite E2, E1. exact H. }
    assert (Hv : 0 <= v) by (apply total_nonneg, Hwhole).
    assert (2 * b * v <= 2 * (c * r) * v) by nia. nia.
  Qed.

  Section Schedule.
    Context (l : list attempt) (Hvalid : forall a, In a l -> valid a)
      (Hwhole : forall a, In a l -> 0 < whole w (of a))
      (Hpos : forall a r, In a l -> 0 <= weight w a r)
      (Hcap : forall r, total (fun a => weight w a r) l <= c).

    Lemma part_capped k rest : Permutation l (k ++ rest) -> forall r, total (fun a => weight w a r) k <= c.
    Proof.
      intros Hp r. eapply Z.le_trans; [|apply (Hcap r)]. rewrite (total_permutation _ _ _ Hp), total_app.
      assert (0 <= total (fun a => weight w a r) rest); [|lia]. apply total_nonneg. intros a Ha. apply Hpos.
      apply (Permutation_in _ (Permutation_sym Hp)), in_or_app. auto.
    Qed.

    (* So the moment of blocks is no more than that of what they stand for. *)
    Lemma moments_below blocks k rest : Permutation l (k ++ rest) -> stand_for blocks k ->
      block_moments blocks <= c * total (busy w) k.
    Proof.
      intros Hp (parts & Hk & Hparts). rewrite (total_permutation _ _ _ Hk).
      assert (Hp' : Permutation l (concat parts ++ rest)) by (rewrite Hp; apply Permutation_app_tail, Hk).
      clear k Hp Hk. revert rest Hp'. induction Hparts as [|[b v] part blocks parts [Hv Hb] Hparts IH]; intros rest Hp.
      - unfold block_moments. cbn [total concat]. lia.
      - unfold block_moments. cbn [total concat fst snd] in *. rewrite total_app. fold (block_moments blocks).
        assert (Hin : forall a, In a part -> In a l).
        { intros a Ha. apply (Permutation_in _ (Permutation_sym Hp)). apply in_or_app. left. apply in_or_app. auto. }
        assert (H1 := IH (part ++ rest) ltac:(rewrite Hp, !app_assoc; apply Permutation_app_tail, Permutation_app_comm)).
        pose proof (block_inequality b part) as H2. cbv zeta in H2. rewrite <- Hv in H2.
        rewrite Z.mul_add_distr_l. apply Z.add_le_mono; [|exact H1]. apply H2; auto.
        + apply Forall_forall. intros a Ha. apply Hvalid, Hin, Ha.
        + apply (part_capped part (concat parts ++ rest)). rewrite Hp, app_assoc. reflexivity.
        + intros a Ha. apply Z.lt_le_incl, Hwhole, Hin, Ha.
    Qed.

    (* The sum over k of the moments of the k lightest, with the weights 1/W_k - 1/W_(k+1). *)
    Lemma fluid_below W types : (forall q, In q (map of l) -> W q = whole w q) ->
      (forall x, In x types -> 0 <= snd x) -> forall k rest, Permutation l (k ++ rest) -> map of k = expand types ->
      (forall x, In x types -> 0 < W (fst x)) ->
      falling W types ->
      let (blocks, sum) := fluid fine c W types in
      stand_for blocks k /\
      forall z, 0 < z -> (forall x, In x types -> W (fst x) <= z) ->
      (inject_Z sum / inject_Z fine * inject_Z c + inject_Z (c * total (busy w) k - block_moments blocks) / inject_Z z
        <= inject_Z c * totalQ (fun a => inject_Z (busy w a) / inject_Z (whole w (of a))) k)%Q.
    Proof.
      intros HW. induction types as [|[q n] types IH]; intros Hn k rest Hp Hk Hheavy Hfall; cbn [fluid].
      - destruct k; [|discriminate]. split; [exists []; split; constructor|]. intros z _ _.
        unfold block_moments. cbn [total totalQ]. rewrite Z.mul_0_r. change (inject_Z (0 - 0)) with 0%Q.
        change (inject_Z 0) with 0%Q. unfold Qdiv. rewrite !Qmult_0_l. lra.
      - cbn [expand flat_map fst snd] in Hk. fold (expand types) in Hk.
        apply map_eq_app in Hk as (k1 & k2 & -> & Hk1 & Hk2).
        destruct Hfall as [Hfall1 Hfall2]. pose proof (Hn (q, n) (or_introl eq_refl)) as Hn0. cbn [snd] in Hn0.
        assert (Hin : forall a, In a k1 -> In a l).
        { intros a Ha. apply (Permutation_in _ (Permutation_sym Hp)). apply in_or_app. left. apply in_or_app. auto. }
        assert (Hof : forall a, In a k1 -> of a = q).
        { intros a Ha. apply (in_map of) in Ha. rewrite Hk1 in Ha. apply repeat_spec in Ha. exact Ha. }
        assert (HWq : forall a, In a k1 -> whole w (of a) = W q).
        { intros a Ha. rewrite <- (HW (of a)) by (apply in_map, Hin, Ha). rewrite (Hof a Ha). reflexivity. }
        specialize (IH (fun x Hx => Hn x (or_intror Hx)) k2 (k1 ++ rest)).
        assert (Hp2 : Permutation l (k2 ++ k1 ++ rest)).
        { rewrite Hp, !app_assoc. apply Permutation_app_tail, Permutation_app_comm. }
        specialize (IH Hp2 Hk2 (fun x Hx => Hheavy x (or_intror Hx)) Hfall2).
        destruct (fluid fine c W types) as [blocks sum]. destruct IH as [(parts & Hparts1 & Hparts2) IH].
        pose proof (Hheavy (q, n) (or_introl eq_refl)) as HWpos. cbn [fst] in HWpos.
        set (blocks' := fill (c * release q) (n * W q) blocks).
        assert (Hstand : stand_for blocks' (k1 ++ k2)).
        { destruct (fill_spec blocks (c * release q) (n * W q) parts k1) as (found & Hf1 & Hf2).
          - split; cbn [fst snd].
            + rewrite (total_ext _ (fun _ => W q)) by exact HWq. rewrite total_const.
              apply (f_equal (@length request)) in Hk1. rewrite map_length, repeat_length in Hk1. rewrite Hk1. lia.
            + intros a Ha. rewrite (Hof a Ha). lia.
          - exact Hparts2.
          - exists found. split; [|exact Hf2]. rewrite <- Hf1. apply Permutation_app_head, Hparts1. }
        split; [exact Hstand|]. intros z Hz Hlight.
        specialize (IH (W q) HWpos Hfall1). specialize (Hlight (q, n) (or_introl eq_refl)). cbn [fst] in Hlight.
        pose proof (moments_below blocks' (k1 ++ k2) rest Hp Hstand) as Hless.
        rewrite total_app in *. rewrite totalQ_app.
        assert (Hfirst : (totalQ (fun a => inject_Z (busy w a) / inject_Z (whole w (of a))) k1
            == inject_Z (total (busy w) k1) / inject_Z (W q))%Q).
        { clear -HWq HWpos. assert (Hq : (0 < inject_Z (W q))%Q) by (apply inject_pos, HWpos).
          induction k1 as [|a k1 IH]; cbn [totalQ total].
          - change (inject_Z 0) with 0%Q. unfold Qdiv. rewrite Qmult_0_l. reflexivity.
          - specialize (IH (fun b Hb => HWq b (or_intror Hb))).
            rewrite IH, (HWq a (or_introl eq_refl)), inject_Z_plus. field. lra. }
        rewrite Hfirst. set (Y1 := total (busy w) k1) in *. set (Y2 := total (busy w) k2) in *.
        set (P := block_moments blocks) in *. set (P' := block_moments blocks') in *.
        assert (Hq : (0 < inject_Z (W q))%Q) by (apply inject_pos, HWpos).
        assert (Hcq : (0 < inject_Z c)%Q) by (apply inject_pos, Hc).
        assert (Hfq : (0 < inject_Z fine)%Q) by (apply inject_pos, Hfine).
        assert (Hzq : (inject_Z (c * (Y1 + Y2) - P') / inject_Z z <= inject_Z (c * (Y1 + Y2) - P') / inject_Z (W q))%Q).
        { apply fraction_le; [exact Hz|exact HWpos|]. apply Z.mul_le_mono_nonneg_l; lia. }
        assert (Hfloor : (inject_Z ((P' - P) * fine / (W q * c)) / inject_Z fine * inject_Z c
            <= inject_Z (P' - P) / inject_Z (W q))%Q).
        { assert (H : (inject_Z ((P' - P) * fine / (W q * c)) * inject_Z (W q * c) <= inject_Z ((P' - P) * fine))%Q).
          { rewrite <- inject_Z_mult, <- Zle_Qle, Z.mul_comm. apply Z.mul_div_le. nia. }
          rewrite !inject_Z_mult in H. set (x := inject_Z ((P' - P) * fine / (W q * c))) in *.
          assert (E : (x / inject_Z fine * inject_Z c == (x * (inject_Z (W q) * inject_Z c)) / (inject_Z fine * inject_Z (W q)))%Q)
            by (field; split; lra).
          rewrite E. apply Qle_shift_div_r; [apply Qmult_lt_0_compat; lra|].
          assert (E' : (inject_Z (P' - P) / inject_Z (W q) * (inject_Z fine * inject_Z (W q)) == inject_Z (P' - P) * inject_Z fine)%Q)
            by (field; lra).
          rewrite E'. exact H. }
        rewrite inject_Z_plus. unfold Z.sub in *.
        rewrite ?inject_Z_plus, ?inject_Z_opp, ?inject_Z_mult, ?inject_Z_plus in *.
        set (F := (inject_Z ((P' + - P) * fine / (W q * c)))%Q) in *.
        assert (E1 : ((inject_Z sum + F) / inject_Z fine * inject_Z c ==
            inject_Z sum / inject_Z fine * inject_Z c + F / inject_Z fine * inject_Z c)%Q) by (field; lra).
        assert (E2 : ((inject_Z c * (inject_Z Y1 + inject_Z Y2) + - inject_Z P') / inject_Z (W q) ==
            inject_Z c * (inject_Z Y1 / inject_Z (W q)) + (inject_Z c * inject_Z Y2 + - inject_Z P) / inject_Z (W q)
            - (inject_Z P' + - inject_Z P) / inject_Z (W q))%Q) by (field; lra).
        rewrite E1. rewrite E2 in Hzq. set (Z := (inject_Z c * (_ + _) + _)%Q) in *. rewrite Qmult_plus_distr_r. lra.
    Qed.
  End Schedule.
End Fluid.
