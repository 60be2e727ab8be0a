(* SVF in batches: Lemmas 1, 2 and 3 of area_batches.md. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation Sorted.
From Kvopt Require Import Model Sums Completions Area Pipeline Spacing BusyTime BusyCheck Staggered InTurn MixedSvf.
Import ListNotations.
Open Scope Z_scope.

(* A request with V, the sum of the areas up to and including its own, and its level. *)
Record ranked := Ranked { job : request; area_sum : Z; level : nat }.

(* e is large enough to be the level: 4 V / M <= beta g^e and o <= g^e. *)
Definition large_enough (M : Z) (g beta : Q) (x : ranked) (e : nat) : Prop :=
  (4 * inject_Z (area_sum x) / inject_Z M <= beta * power g e)%Q /\
  (inject_Z (output (job x)) <= power g e)%Q.

(* Requests in a row, v being the areas of those before them: their sums of areas, and their
   levels, each the smallest that is large enough. *)
Fixpoint ranks (M : Z) (g beta : Q) (v : Z) (l : list ranked) : Prop :=
  match l with
  | [] => True
  | x :: rest =>
      area_sum x = v + area (job x) /\
      large_enough M g beta x (level x) /\
      (forall e, large_enough M g beta x e -> (level x <= e)%nat) /\
      ranks M g beta (area_sum x) rest
  end.

(* The smallest integer, e or more, that is r modulo K: where a batch ends, with the offset r. *)
Definition batch_end (K r e : nat) : nat := e + (r + (K - e mod K)) mod K.
Definition ends_at (K r : nat) (x : ranked) : nat := batch_end K r (level x).

(* Phi (r). *)
Definition offset_cost (g : Q) (K r : nat) (l : list ranked) : Q :=
  totalQ (fun x => power g (ends_at K r x)) l.

(* The order: by batch, then wide requests first, each kind in the order of the numbers, which is
   that of V. *)
Definition is_wide (M : Z) (x : ranked) : bool := M <? 2 * request_peak (job x).
Definition goes_before (M : Z) (K r : nat) (x y : ranked) : Prop :=
  (ends_at K r x < ends_at K r y)%nat \/
  ends_at K r x = ends_at K r y /\
    (is_wide M x = true /\ is_wide M y = false \/
     is_wide M x = is_wide M y /\ area_sum x <= area_sum y).

(* The requests are listed by area, smallest first, those of equal area in any order.  What the
   policy makes of them: ranked in this order, they start in turn in that of the batches, for an
   offset r for which Phi (r) is least. *)
Definition svf_in_batches
    (M : Z) (g : Q) (K : nat) (beta : Q) (requests : list request) (l : list attempt) : Prop :=
  exists items r ordered,
    map job items = requests /\ in_order area requests /\ ranks M g beta 0 items /\
    (r < K)%nat /\
    (forall r', (r' < K)%nat -> (offset_cost g K r items <= offset_cost g K r' items)%Q) /\
    Permutation items ordered /\ StronglySorted (goes_before M K r) ordered /\
    map of l = map job ordered /\ in_turn M [] l.

(* --- Powers ------------------------------------------------------------------------------ *)

Lemma power_add g a b : (power g (a + b) == power g a * power g b)%Q.
Proof. induction a as [|a IH]; cbn [Nat.add power]; [ring|]. rewrite IH. ring. Qed.

Lemma power_mono g a b : (1 <= g)%Q -> (a <= b)%nat -> (power g a <= power g b)%Q.
Proof.
  intros Hg Hab. induction Hab as [|b _ IH]; [apply Qle_refl|]. cbn [power].
  assert (0 < power g b)%Q by (apply power_pos; lra).
  assert (0 <= (g - 1) * power g b)%Q by (apply Qmult_le_0_compat; lra). lra.
Qed.

Lemma power_at_least_1 g a : (1 <= g)%Q -> (1 <= power g a)%Q.
Proof. intros Hg. apply (power_mono g 0 a Hg). lia. Qed.

Lemma power_above g a : (1 <= g)%Q -> (1 + inject_Z (Z.of_nat a) * (g - 1) <= power g a)%Q.
Proof.
  intros Hg. induction a as [|a IH]; cbn [power]; [change (inject_Z (Z.of_nat 0)) with 0%Q; lra|].
  pose proof (power_at_least_1 g a Hg).
  rewrite Nat2Z.inj_succ, <- Z.add_1_l, inject_Z_plus. change (inject_Z 1) with 1%Q.
  assert (0 <= (g - 1) * (power g a - 1))%Q by (apply Qmult_le_0_compat; lra). lra.
Qed.

(* g^p + g^(p + K) + ... + g^(p + (n - 1) K), times g^K - 1. *)
Lemma geometric_sum g p K n :
  (totalQ (fun q => power g (p + q * K)) (seq 0 n) * (power g K - 1) == power g (p + n * K) - power g p)%Q.
Proof.
  induction n as [|n IH].
  - cbn [seq totalQ Nat.mul]. rewrite Nat.add_0_r. ring.
  - rewrite seq_S, totalQ_app, Qmult_plus_distr_l, IH. cbn [totalQ Nat.add].
    replace (p + S n * K)%nat with (K + (p + n * K))%nat by lia. rewrite (power_add g K). ring.
Qed.

(* --- Batches ----------------------------------------------------------------------------- *)

Lemma batch_end_spec K r e : (r < K)%nat ->
  (e <= batch_end K r e < e + K)%nat /\ exists q, batch_end K r e = (r + q * K)%nat.
Proof.
  intros Hr. unfold batch_end. assert (HK : K <> 0%nat) by lia.
  pose proof (Nat.mod_upper_bound e K HK) as Hd. pose proof (Nat.div_mod e K HK) as He.
  pose proof (Nat.mod_upper_bound (r + (K - e mod K)) K HK).
  split; [lia|]. set (d := (e mod K)%nat) in *. set (n := (e / K)%nat) in *.
  destruct (Nat.lt_ge_cases r d) as [Hrd|Hrd].
  - rewrite Nat.mod_small by lia. exists (n + 1)%nat. nia.
  - replace (r + (K - d))%nat with (r - d + 1 * K)%nat by lia.
    rewrite Nat.mod_add, Nat.mod_small by lia. exists n. nia.
Qed.

(* It is the smallest. *)
Lemma batch_end_least K r e E : (r < K)%nat -> (e <= E)%nat -> (E mod K = r)%nat ->
  (batch_end K r e <= E)%nat.
Proof.
  intros Hr He HE. destruct (batch_end_spec K r e Hr) as (H1 & q & Hq). rewrite Hq in *.
  pose proof (Nat.div_mod E K ltac:(lia)). set (n := (E / K)%nat) in *.
  rewrite HE in *. destruct (Nat.le_gt_cases q n) as [Hle|Hgt]; nia.
Qed.

(* All offsets together. *)
Lemma all_ends g K e : (0 < K)%nat ->
  (totalQ (fun r => power g (batch_end K r e)) (seq 0 K) == totalQ (fun i => power g (e + i)) (seq 0 K))%Q.
Proof.
  intros HK. pose proof (Nat.mod_upper_bound e K ltac:(lia)) as Hd. set (d := (e mod K)%nat) in *.
  assert (E1 : seq 0 K = seq 0 d ++ seq d (K - d)).
  { rewrite <- seq_app. f_equal. lia. }
  assert (E2 : seq 0 K = seq 0 (K - d) ++ seq (K - d) d).
  { rewrite <- seq_app. f_equal. lia. }
  assert (Hext : forall f h : nat -> Q, forall n a b,
    (forall i, (i < n)%nat -> f (a + i)%nat = h (b + i)%nat) ->
    totalQ f (seq a n) = totalQ h (seq b n)).
  { intros f h n. induction n as [|n IH]; intros a b H; [reflexivity|]. cbn [seq totalQ].
    pose proof (H 0%nat ltac:(lia)) as H0. rewrite !Nat.add_0_r in H0. rewrite H0. f_equal.
    apply IH. intros i Hi. replace (S a + i)%nat with (a + S i)%nat by lia.
    replace (S b + i)%nat with (b + S i)%nat by lia. apply H. lia. }
  rewrite E1 at 1. rewrite E2, !totalQ_app.
  rewrite (Hext (fun r => power g (batch_end K r e)) (fun i => power g (e + i)) d 0%nat (K - d)%nat).
  - rewrite (Hext (fun r => power g (batch_end K r e)) (fun i => power g (e + i)) (K - d)%nat d 0%nat).
    + ring.
    + intros i Hi. f_equal. unfold batch_end. fold d. f_equal.
      replace (d + i + (K - d))%nat with (i + 1 * K)%nat by lia.
      rewrite Nat.mod_add, Nat.mod_small by lia. reflexivity.
  - intros i Hi. f_equal. unfold batch_end. fold d. f_equal.
    rewrite Nat.mod_small by lia. lia.
Qed.

Lemma totalQ_swap {A B : Type} (f : A -> B -> Q) (l : list A) (l' : list B) :
  (totalQ (fun x => totalQ (f x) l') l == totalQ (fun y => totalQ (fun x => f x y) l) l')%Q.
Proof.
  induction l as [|x l IH]; cbn [totalQ].
  - induction l' as [|y l' IH']; cbn [totalQ]; [reflexivity|]. rewrite <- IH'. ring.
  - rewrite IH. clear IH. induction l' as [|y l' IH']; cbn [totalQ]; [ring|]. rewrite <- IH'. ring.
Qed.

Lemma totalQ_le {A : Type} (f h : A -> Q) l :
  (forall x, In x l -> (f x <= h x)%Q) -> (totalQ f l <= totalQ h l)%Q.
Proof.
  induction l as [|x l IH]; intros H; cbn [totalQ]; [apply Qle_refl|].
  apply Qplus_le_compat; [apply H; simpl; auto|]. apply IH. intros y Hy. apply H. simpl. auto.
Qed.

Lemma totalQ_times {A : Type} c (f : A -> Q) l : (totalQ (fun x => c * f x) l == c * totalQ f l)%Q.
Proof. induction l as [|x l IH]; cbn [totalQ]; [ring|]. rewrite IH. ring. Qed.

(* Lemma 3: K Phi (r) <= (g^K - 1) / (g - 1) times the sum of g^e, for the best r. *)
Lemma best_offset g K r l :
  (1 < g)%Q -> (0 < K)%nat ->
  (forall r', (r' < K)%nat -> (offset_cost g K r l <= offset_cost g K r' l)%Q) ->
  (inject_Z (Z.of_nat K) * offset_cost g K r l * (g - 1)
   <= (power g K - 1) * totalQ (fun x => power g (level x)) l)%Q.
Proof.
  intros Hg HK Hbest.
  assert (H : (inject_Z (Z.of_nat K) * offset_cost g K r l
      <= totalQ (fun r' => offset_cost g K r' l) (seq 0 K))%Q).
  { assert (E : forall n a, (inject_Z (Z.of_nat n) * offset_cost g K r l
        == totalQ (fun _ : nat => offset_cost g K r l) (seq a n))%Q).
    { induction n as [|n IH]; intros a; cbn [seq totalQ]; [change (inject_Z (Z.of_nat 0)) with 0%Q; ring|].
      rewrite <- IH, Nat2Z.inj_succ, <- Z.add_1_l, inject_Z_plus. change (inject_Z 1) with 1%Q. ring. }
    rewrite (E K 0%nat). apply totalQ_le. intros r' Hr'. apply in_seq in Hr'. apply Hbest. lia. }
  unfold offset_cost at 2 in H. rewrite totalQ_swap in H.
  assert (E : (totalQ (fun x => totalQ (fun r' => power g (ends_at K r' x)) (seq 0 K)) l * (g - 1)
      == (power g K - 1) * totalQ (fun x => power g (level x)) l)%Q).
  { clear H Hbest. induction l as [|x l IH]; cbn [totalQ]; [ring|].
    rewrite Qmult_plus_distr_l, IH. unfold ends_at. rewrite all_ends by exact HK.
    pose proof (geometric_sum g (level x) 1 K) as Hs. rewrite Nat.mul_1_r in Hs.
    assert (E : (totalQ (fun i => power g (level x + i)) (seq 0 K)
        == totalQ (fun q => power g (level x + q * 1)) (seq 0 K))%Q).
    { clear. induction (seq 0 K) as [|i s IH]; cbn [totalQ]; [reflexivity|]. rewrite IH, Nat.mul_1_r. reflexivity. }
    rewrite E. assert (E1 : (power g 1 == g)%Q) by (cbn [power]; ring). rewrite E1 in Hs.
    rewrite Hs, (power_add g (level x) K). ring. }
  rewrite <- E. apply Qmult_le_compat_r; [exact H|lra].
Qed.

(* --- Lemma 1: waiting --------------------------------------------------------------------- *)

(* The latest start of those that f keeps. *)
Fixpoint latest_start {A : Type} (f : A -> bool) (at_ : A -> Z) (l : list A) : Z :=
  match l with
  | [] => 0
  | x :: rest => if f x then Z.max (at_ x) (latest_start f at_ rest) else latest_start f at_ rest
  end.

Lemma latest_start_ge {A : Type} (f : A -> bool) at_ (l : list A) x :
  In x l -> f x = true -> at_ x <= latest_start f at_ l.
Proof.
  induction l as [|y l IH]; intros []; cbn [latest_start]; intros Hf.
  - subst. rewrite Hf. lia.
  - specialize (IH H Hf). destruct (f y); lia.
Qed.

Lemma latest_start_le {A : Type} (f : A -> bool) at_ (l : list A) t :
  0 <= t -> (forall x, In x l -> f x = true -> at_ x <= t) -> latest_start f at_ l <= t.
Proof.
  induction l as [|y l IH]; intros Ht H; cbn [latest_start]; [exact Ht|].
  specialize (IH Ht (fun x Hx => H x (or_intror Hx))).
  destruct (f y) eqn:E; [|exact IH]. specialize (H y (or_introl eq_refl) E). lia.
Qed.

Lemma latest_start_nonneg {A : Type} (f : A -> bool) at_ (l : list A) : 0 <= latest_start f at_ l.
Proof. induction l as [|y l IH]; cbn [latest_start]; [lia|]. destruct (f y); lia. Qed.

Lemma total_member {A : Type} (f : A -> Z) l x :
  (forall y, In y l -> 0 <= f y) -> In x l -> f x <= total f l.
Proof.
  induction l as [|y l IH]; intros Hf []; cbn [total].
  - subst. assert (0 <= total f l); [|lia]. apply total_nonneg. intros z Hz. apply Hf. simpl. auto.
  - specialize (IH (fun z Hz => Hf z (or_intror Hz)) H). pose proof (Hf y (or_introl eq_refl)). lia.
Qed.

Lemma some_member {A : Type} (f : A -> Z) l : 0 < total f l -> exists x, In x l /\ 0 < f x.
Proof.
  induction l as [|y l IH]; cbn [total]; intros H; [lia|].
  destruct (Z.lt_ge_cases 0 (f y)) as [Hy|Hy]; [exists y; simpl; auto|].
  destruct IH as (x & Hx & Hfx); [lia|]. exists x. simpl. auto.
Qed.

Lemma sorted_split {A : Type} (R : A -> A -> Prop) l1 x l2 :
  StronglySorted R (l1 ++ x :: l2) -> (forall y, In y l1 -> R y x) /\ (forall y, In y l2 -> R x y).
Proof.
  induction l1 as [|z l1 IH]; cbn [app]; intros H; inversion H as [|? ? Hs Hz]; subst.
  - rewrite Forall_forall in Hz. split; [intros y []|exact Hz].
  - destruct (IH Hs) as [H1 H2]. split; [|exact H2]. intros y [<-|Hy]; [|exact (H1 y Hy)].
    rewrite Forall_forall in Hz. apply Hz, in_or_app. simpl. auto.
Qed.

Section Waiting.
  (* The requests in the order of their starts, each with its attempt. *)
  Context (M : Z) (g : Q) (K r : nat) (pl : list (ranked * attempt)).
  Context (HM : 0 < M) (Hg : (1 < g)%Q) (Hr : (r < K)%nat).
  Context (Hjob : forall z, In z pl -> of (snd z) = job (fst z)).
  Context (Hsorted : StronglySorted (fun y z => goes_before M K r (fst y) (fst z)) pl).
  Context (Hvalid : Forall valid (map snd pl)) (Hrel : at_once (map of (map snd pl))).
  Context (Hturn : in_turn M [] (map snd pl)).
  Context (Hlevel : forall z, In z pl -> (inject_Z (output (job (fst z))) <= power g (level (fst z)))%Q).
  Context (Hpeak : forall z, In z pl -> request_peak (job (fst z)) <= M).

  Let end_of (z : ranked * attempt) : nat := ends_at K r (fst z).
  Let peak_of (b : attempt) : Z := request_peak (of b).

  (* Batch r + (q + 1) K can lose time only in w rounds from u on. *)
  Let u (q : nat) : Z :=
    latest_start (fun z => Nat.ltb (end_of z) (r + S q * K)) (fun z => start (snd z)) pl.
  Let w (q : nat) : Z := Qfloor (power g (r + q * K)).

  Lemma valid_of z : In z pl -> valid (snd z).
  Proof. intros Hz. rewrite Forall_forall in Hvalid. apply Hvalid, in_map, Hz. Qed.

  Lemma lost_somewhere k1 p k2 t N :
    pl = k1 ++ p :: k2 -> end_of p = (r + N * K)%nat -> 0 <= t < start (snd p) ->
    2 * running_peaks (map snd k1) t <= M ->
    exists q, (q < N)%nat /\ u q <= t < u q + w q.
  Proof.
    intros Epl HQ Ht Hlost.
    assert (Emap : map snd pl = map snd k1 ++ snd p :: map snd k2).
    { rewrite Epl, map_app. reflexivity. }
    destruct (blocked M (map snd k1) (snd p) (map snd k2) t) as (l1 & j & l2 & E & Hbefore & Hj & Hm);
      [lia|rewrite <- Emap; exact Hturn|rewrite <- Emap; exact Hvalid|rewrite <- Emap; exact Hrel|exact Ht|].
    (* the same in pl *)
    assert (E' : map snd (k1 ++ [p]) = l1 ++ j :: l2) by (rewrite map_app; exact E).
    apply map_eq_app in E' as (k1' & rest & Ek & E1 & E2).
    apply map_eq_cons in E2 as (z & k2' & -> & Ez & E2). subst l1 j l2.
    assert (Hpl : pl = k1' ++ z :: (k2' ++ k2)).
    { rewrite Epl. replace (k1 ++ p :: k2) with ((k1 ++ [p]) ++ k2) by (rewrite <- app_assoc; reflexivity).
      rewrite Ek, <- app_assoc. reflexivity. }
    assert (Hin1 : forall y, In y k1' -> In y pl).
    { intros y Hy. rewrite Hpl. apply in_or_app. auto. }
    assert (Hz : In z pl) by (rewrite Hpl; apply in_or_app; simpl; auto).
    set (rp := fun b => if runs b (t + 1) then peak_of b else 0).
    assert (Hpos : forall y, In y pl -> 0 <= rp (snd y)).
    { intros y Hy. unfold rp. destruct (runs _ _); [|lia].
      apply Z.lt_le_incl, request_peak_pos, valid_of, Hy. }
    assert (Hprefix : exists k, k1 = k1' ++ k).
    { destruct (exists_last (l := z :: k2')) as (k & y & Eky); [discriminate|].
      rewrite Eky, app_assoc in Ek. apply app_inj_tail in Ek as [Ek _]. exists k. exact Ek. }
    destruct Hprefix as (k & Hk1).
    assert (Hle : running_peaks (map snd k1') t <= running_peaks (map snd k1) t).
    { rewrite Hk1, map_app. unfold running_peaks. rewrite total_app. fold peak_of.
      enough (0 <= total rp (map snd k)) by (unfold rp, peak_of in *; lia).
      rewrite total_map. apply total_nonneg. intros y Hy. apply Hpos. rewrite Epl, Hk1, <- app_assoc.
      apply in_or_app. right. apply in_or_app. auto. }
    assert (HofZ : request_peak (of (snd z)) = request_peak (job (fst z))) by (rewrite (Hjob z Hz); reflexivity).
    assert (Hwide : is_wide M (fst z) = true) by (unfold is_wide; lia).
    (* something runs *)
    destruct (some_member rp (map snd k1')) as (b & Hb & Hrun).
    { pose proof (Hpeak z Hz). change (total rp (map snd k1')) with (running_peaks (map snd k1') t). lia. }
    apply in_map_iff in Hb as (y & <- & Hy).
    assert (Hrp : rp (snd y) <= running_peaks (map snd k1') t).
    { change (running_peaks (map snd k1') t) with (total rp (map snd k1')).
      apply total_member; [|apply in_map, Hy]. intros c Hc. apply in_map_iff in Hc as (c' & <- & Hc).
      apply Hpos, Hin1, Hc. }
    unfold rp, peak_of in Hrp, Hrun. destruct (runs (snd y) (t + 1)) eqn:Eruns; [|lia].
    (* it is narrow, and so of a batch before *)
    rewrite (Hjob y (Hin1 y Hy)) in Hrp.
    assert (Hnarrow : is_wide M (fst y) = false) by (unfold is_wide; lia).
    rewrite Hpl in Hsorted. destruct (sorted_split _ _ _ _ Hsorted) as [Hpre Hpost]. rewrite <- Hpl in Hsorted.
    assert (Hbatch : (end_of y < end_of z)%nat).
    { destruct (Hpre y Hy) as [H|(_ & [(H & _)|(H & _)])]; [exact H|congruence|congruence]. }
    destruct (batch_end_spec K r (level (fst y)) Hr) as ((Hly & _) & qy & Hqy).
    destruct (batch_end_spec K r (level (fst z)) Hr) as (_ & qz & Hqz).
    change (end_of y = (r + qy * K)%nat) in Hqy. change (end_of z = (r + qz * K)%nat) in Hqz.
    change ((level (fst y) <= end_of y)%nat) in Hly.
    assert (Hzp : (end_of z <= end_of p)%nat).
    { assert (Hp : In p (z :: k2')).
      { destruct (exists_last (l := z :: k2')) as (k' & y' & Eky); [discriminate|].
        pose proof Ek as Ek'. rewrite Eky, app_assoc in Ek'. apply app_inj_tail in Ek' as [_ Ep].
        rewrite Eky. apply in_or_app. subst y'. simpl. auto. }
      destruct Hp as [<-|Hp]; [lia|].
      destruct (Hpost p) as [H|(H & _)]; [apply in_or_app; auto|apply Nat.lt_le_incl, H|apply Nat.eq_le_incl, H]. }
    assert (Hq : (qy < qz)%nat) by nia. assert (HqQ : (qz <= N)%nat) by nia.
    destruct qz as [|q]; [lia|]. exists q. split; [lia|]. split.
    - (* whatever is of a batch before that of z has started *)
      apply latest_start_le; [lia|]. intros x Hx Hxe. apply Nat.ltb_lt in Hxe. rewrite <- Hqz in Hxe.
      rewrite Hpl in Hx. apply in_app_or in Hx as [Hx|[<-|Hx]].
      + apply Hbefore, in_map, Hx.
      + lia.
      + destruct (Hpost x Hx) as [H|(H & _)]; unfold end_of in *; lia.
    - assert (Hstart : start (snd y) <= u q).
      { apply (latest_start_ge (fun z => Nat.ltb (end_of z) (r + S q * K)) (fun z => start (snd z))); [apply Hin1, Hy|].
        apply Nat.ltb_lt. lia. }
      assert (Ho : output (job (fst y)) <= w q).
      { apply le_floor. eapply Qle_trans; [apply Hlevel, Hin1, Hy|]. apply power_mono; [lra|].
        assert ((r + qy * K <= r + q * K)%nat) by nia. lia. }
      unfold runs, completion in Eruns. rewrite (Hjob y (Hin1 y Hy)) in Eruns. lia.
  Qed.

  (* Lemma 1, times M. *)
  Lemma batch_wait k1 p k2 :
    pl = k1 ++ p :: k2 ->
    (inject_Z (M * start (snd p)) * (power g K - 1) <=
     inject_Z (4 * total (fun z => area (job (fst z))) k1) * (power g K - 1)
     + inject_Z M * power g (end_of p))%Q.
  Proof.
    intros Epl. destruct (batch_end_spec K r (level (fst p)) Hr) as (_ & N & HQ).
    change (end_of p = (r + N * K)%nat) in HQ.
    assert (Hp : In p pl) by (rewrite Epl; apply in_or_app; simpl; auto).
    assert (H0 : 0 <= start (snd p)) by (destruct (valid_of p Hp); lia).
    set (T := Z.to_nat (start (snd p))).
    set (I := fun q => Attempt (Request 0 (w q)) (u q)).
    assert (Hw : forall q, 1 <= w q).
    { intros q. apply le_floor. apply power_at_least_1. lra. }
    assert (HI : forall q, valid (I q)).
    { intros q. pose proof (Hw q). pose proof (latest_start_nonneg (fun z => Nat.ltb (end_of z) (r + S q * K))
        (fun z => start (snd z)) pl) as Hu. fold (u q) in Hu.
      unfold valid, valid_request, I. cbn [of start prompt output release]. lia. }
    set (lost := fun t : nat => total (fun q => if runs (I q) (Z.of_nat t + 1) then 1 else 0) (seq 0 N)).
    assert (Hmain : M * start (snd p) <= 4 * total (fun z => area (job (fst z))) k1 + M * sum_below T lost).
    { replace (start (snd p)) with (Z.of_nat T) by (unfold T; lia). rewrite <- sum_below_const.
      transitivity (sum_below T (fun t => 2 * running_peaks (map snd k1) (Z.of_nat t) + M * lost t)).
      - apply sum_below_le. intros t Ht.
        assert (Hrp : 0 <= running_peaks (map snd k1) (Z.of_nat t)).
        { unfold running_peaks. rewrite total_map. apply total_nonneg. intros y Hy. destruct (runs _ _); [|lia].
          apply Z.lt_le_incl, request_peak_pos, valid_of. rewrite Epl. apply in_or_app. auto. }
        assert (Hl0 : 0 <= lost t) by (apply total_nonneg; intros q _; destruct (runs _ _); lia).
        destruct (Z.le_gt_cases (2 * running_peaks (map snd k1) (Z.of_nat t)) M) as [Hlost|Hlost]; [|nia].
        destruct (lost_somewhere k1 p k2 (Z.of_nat t) N Epl HQ) as (q & Hq & Htq); [unfold T in Ht; lia|exact Hlost|].
        assert (1 <= lost t); [|nia].
        transitivity (if runs (I q) (Z.of_nat t + 1) then 1 else 0).
        + unfold runs, completion, I. cbn [start of output].
          replace (u q <? Z.of_nat t + 1) with true by lia.
          replace (Z.of_nat t + 1 <=? u q + w q) with true by lia. cbn [andb]. lia.
        + apply (total_member (fun q => if runs (I q) (Z.of_nat t + 1) then 1 else 0)); [|apply in_seq; lia].
          intros y _. destruct (runs _ _); lia.
      - rewrite sum_below_add, !sum_below_scale, running_swap, total_map.
        enough (total (fun y => sum_below T (fun j => if runs (snd y) (Z.of_nat j + 1) then
            request_peak (of (snd y)) else 0)) k1 <= 2 * total (fun z => area (job (fst z))) k1) by lia.
        rewrite <- total_scale. apply total_le. intros y Hy.
        assert (Hyp : In y pl) by (rewrite Epl; apply in_or_app; auto).
        rewrite <- (Hjob y Hyp). destruct (valid_of y Hyp) as [Hq Hs].
        pose proof (peak_output _ Hq). pose proof (request_peak_pos _ Hq).
        pose proof (rounds_run_le (snd y) (request_peak (of (snd y))) T (conj Hq Hs) ltac:(lia)). lia. }
    assert (Hlost : (inject_Z (sum_below T lost) * (power g K - 1) <= power g (end_of p))%Q).
    { assert (H1 : (inject_Z (sum_below T lost) <= totalQ (fun q => power g (r + q * K)) (seq 0 N))%Q).
      { unfold lost. rewrite <- total_sum_below.
        assert (Hq : forall s, (inject_Z (total (fun q => sum_below T (fun t => if runs (I q) (Z.of_nat t + 1) then 1 else 0)) s)%Z
            <= totalQ (fun q => power g (r + q * K)) s)%Q); [|apply Hq].
        induction s as [|q s IH]; cbn [total totalQ]; [apply Qle_refl|]. rewrite inject_Z_plus.
        apply Qplus_le_compat; [|exact IH]. apply Qle_trans with (inject_Z (w q)); [|apply Qfloor_le].
        rewrite <- Zle_Qle. pose proof (rounds_run_le (I q) 1 T (HI q) ltac:(lia)) as H.
        unfold I at 2 in H. cbn [of output] in H. lia. }
      assert (HK1 : (0 <= power g K - 1)%Q) by (pose proof (power_at_least_1 g K ltac:(lra)); lra).
      eapply Qle_trans; [apply Qmult_le_compat_r; [exact H1|exact HK1]|]. rewrite geometric_sum, HQ.
      assert (0 < power g r)%Q by (apply power_pos; lra). lra. }
    assert (HK1 : (0 <= power g K - 1)%Q) by (pose proof (power_at_least_1 g K ltac:(lra)); lra).
    rewrite Zle_Qle, inject_Z_plus, (inject_Z_mult M (sum_below T lost)) in Hmain.
    assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; exact HM).
    pose proof (Qmult_le_compat_r _ _ (power g K - 1) Hmain HK1) as H.
    assert (H' : (inject_Z M * (inject_Z (sum_below T lost) * (power g K - 1)) <= inject_Z M * power g (end_of p))%Q).
    { rewrite !(Qmult_comm (inject_Z M)). apply Qmult_le_compat_r; [exact Hlost|lra]. }
    lra.
  Qed.
End Waiting.

(* --- Lemma 2: a request ------------------------------------------------------------------- *)

(* All of level E or less have together at most the area beta M g^E / 4. *)
Lemma areas_to_level M g beta E : 0 < M -> (1 <= g)%Q -> (0 <= beta)%Q -> forall items v,
  ranks M g beta v items -> (forall x, In x items -> 0 <= area (job x)) ->
  (exists x, In x items /\ (level x <= E)%nat) ->
  (4 * inject_Z (v + total (fun x => if Nat.leb (level x) E then area (job x) else 0) items)%Z
   <= beta * inject_Z M * power g E)%Q.
Proof.
  intros HM Hg Hbeta. assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; exact HM).
  induction items as [|x items IH]; intros v Hranks Harea Hsome; [destruct Hsome as (x & [] & _)|].
  destruct Hranks as (Hsum & (Hlarge & _) & _ & Hrest). cbn [total].
  assert (Hx : 0 <= area (job x)) by (apply Harea; simpl; auto).
  assert (Hcase : (exists y, In y items /\ (level y <= E)%nat) \/ forall y, In y items -> (E < level y)%nat).
  { clear. induction items as [|y items [(z & Hz & HzE)|IH]]; [right; intros y []|left; exists z; simpl; auto|].
    destruct (Nat.le_gt_cases (level y) E); [left; exists y; simpl; auto|].
    right. intros z [<-|Hz]; auto. }
  destruct Hcase as [Hlater|Hnone].
  - specialize (IH (area_sum x) Hrest (fun y Hy => Harea y (or_intror Hy)) Hlater).
    eapply Qle_trans; [|exact IH]. rewrite !(Qmult_comm 4). apply Qmult_le_compat_r; [|discriminate].
    rewrite <- Zle_Qle. destruct (Nat.leb _ _); lia.
  - rewrite (total_ext _ (fun _ => 0)), total_const.
    2:{ intros y Hy. specialize (Hnone y Hy). rewrite (proj2 (Nat.leb_gt _ _) Hnone). reflexivity. }
    assert (HxE : (level x <= E)%nat).
    { destruct Hsome as (y & [<-|Hy] & HyE); [exact HyE|]. specialize (Hnone y Hy). lia. }
    rewrite (proj2 (Nat.leb_le _ _) HxE), Z.mul_0_l, Z.add_0_r, <- Hsum.
    assert (H : (4 * inject_Z (area_sum x) <= beta * power g (level x) * inject_Z M)%Q).
    { apply (Qmult_le_compat_r _ _ (inject_Z M)) in Hlarge; [|lra].
      assert (E1 : (4 * inject_Z (area_sum x) / inject_Z M * inject_Z M == 4 * inject_Z (area_sum x))%Q)
        by (field; lra).
      rewrite E1 in Hlarge. exact Hlarge. }
    assert (Hp : (beta * power g (level x) <= beta * power g E)%Q).
    { rewrite !(Qmult_comm beta). apply Qmult_le_compat_r; [apply power_mono; assumption|exact Hbeta]. }
    apply (Qmult_le_compat_r _ _ (inject_Z M)) in Hp; [|lra]. lra.
Qed.
