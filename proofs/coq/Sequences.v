(* Where an adversary that stops attempts wins: there is no infinite sequence of integers a_m >= 1
   with Phi >= c n A_m from some m on (online_lower_bound.md, theorem 6), for each n and c for
   which `descends` accepts a list of steps.

   Weights are integers, counted in 1 / scale, and q = a / d. *)

From Coq Require Import ZArith List Lia Bool.
Import ListNotations.
Open Scope Z_scope.

(* The largest numbers, in descending order: y is put in, the smallest is dropped. *)

Fixpoint insert_top (y : Z) (l : list Z) : list Z :=
  match l with
  | [] => []
  | x :: r => if x <? y then y :: insert_top x r else x :: insert_top y r
  end.

Section Sequence.
  Context (a : nat -> Z).

  (* The n largest of the first m numbers, with zeros if there are fewer. *)
  Fixpoint top (n m : nat) : list Z :=
    match m with
    | O => repeat 0 n
    | S m' => insert_top (a m') (top n m')
    end.

  (* A_m, the sum of the first m. *)
  Fixpoint spent (m : nat) : Z :=
    match m with
    | O => 0
    | S m' => spent m' + a m'
    end.
End Sequence.

(* i l_1 + (i + 1) l_2 + ... *)
Fixpoint phi (i : Z) (l : list Z) : Z :=
  match l with
  | [] => 0
  | x :: r => i * x + phi (i + 1) r
  end.

(* The quotient c n is u / v.  A sequence goes on if, from some number on, Phi >= c n A. *)
Definition goes_on (n : nat) (u v : Z) (a : nat -> Z) : Prop :=
  (forall m, 1 <= a m) /\
  exists m0, forall m, (m0 <= m)%nat -> u * spent a m <= v * phi 1 (top a n m).

(* The steps. *)

Definition scale : Z := 1000000000000.

Definition up (x y : Z) : Z := - (- x / y).

(* lambda_1, ..., lambda_n of lemma 4, rounded up, for q = a / d; that they fit is checked. *)

Fixpoint tail (u v a d : Z) (i : Z) (k : nat) : list Z * Z :=
  match k with
  | O => ([], 0)
  | S k' =>
      let (w, next) := tail u v a d (i + 1) k' in
      let mu := up ((d - a) * i * v * scale + a * u * next) (u * d) in
      ((if (i - 1) * v <=? u then Z.max scale mu else mu) :: w, mu)
  end.

Definition weights (n : nat) (u v a d : Z) : list Z :=
  let (w, _) := tail u v a d 2 (n - 1) in
  up ((d - a) * v * scale + a * u * (hd 0 w - scale)) (u * (d - a)) :: w.

(* How many weights at the head of a list are at least 1. *)
Fixpoint large (w : list Z) : nat :=
  match w with
  | [] => O
  | x :: r => if scale <=? x then S (large r) else O
  end.

(* Lemma 4 (c), one factor after the other. *)
Fixpoint factors (u v a d i : Z) (w : list Z) : bool :=
  match w with
  | [] => true
  | x :: r => ((d - a) * v * scale * i + a * u * hd 0 r <=? u * d * x) && factors u v a d (i + 1) r
  end.

(* Lemma 4: a weight w for the largest, and those of the others. *)
Definition lemma_4 (u v a d : Z) (w : Z) (r : list Z) : bool :=
  (0 <=? a) && (a <? d) && (w <? scale) &&
  forallb (fun x => (0 <=? x) && (x <=? scale)) (skipn (large r) r) &&
  ((d - a) * v * scale + a * u * (w + hd 0 r - scale) <=? u * d * w) && factors u v a d 2 r.

(* From w to w' the sum of the first j weights falls by at most e - t, for every j. *)
Fixpoint falls_within (e t : Z) (w w' : list Z) : bool :=
  match w, w' with
  | [], [] => true
  | x :: r, x' :: r' => (t + x - x' <=? e) && falls_within e (t + x - x') r r'
  | _, _ => false
  end.

Fixpoint follow (n : nat) (u v d : Z) (before : list Z) (steps : list Z) : bool :=
  match steps with
  | [] => forallb (fun x => x <=? scale) before
  | a :: rest =>
      match weights n u v a d with
      | [] => false
      | w :: r =>
          lemma_4 u v a d w r && Nat.eqb (length (w :: r)) n &&
          falls_within (scale - w) 0 before (w :: r) && follow n u v d (w :: r) rest
      end
  end.

Definition descends (n : nat) (u v d : Z) (steps : list Z) : bool :=
  match weights n u v 0 d with
  | [] => false
  | w :: r =>
      (0 <? u) && (0 <? v) && lemma_4 u v 0 d w r && Nat.eqb (length (w :: r)) n &&
      follow n u v d (w :: r) steps
  end.

(* Lists of numbers. *)

Lemma scale_positive : 0 < scale.
Proof. reflexivity. Qed.

Global Opaque scale.

(* Sums of products; what is beyond the shorter list counts 0. *)
Fixpoint weighted (w l : list Z) : Z :=
  match w, l with
  | x :: w', y :: l' => x * y + weighted w' l'
  | _, _ => 0
  end.

Fixpoint below (b : Z) (l : list Z) : Prop :=
  match l with
  | [] => True
  | x :: r => 0 <= x <= b /\ below x r
  end.

Lemma below_more : forall l b b', below b l -> b <= b' -> below b' l.
Proof. destruct l as [|x r]; simpl; intuition lia. Qed.

Lemma below_put : forall l b y, below b l -> 0 <= y <= b -> below b (insert_top y l).
Proof.
  induction l as [|x r IH]; intros b y H Hy; simpl in *; [exact I|].
  destruct H as [Hx Hr]. destruct (Z.ltb_spec x y); simpl.
  - split; [lia|]. apply IH; [apply below_more with x; [assumption|lia]|lia].
  - split; [lia|]. apply IH; [assumption|lia].
Qed.

Lemma length_put : forall l y, length (insert_top y l) = length l.
Proof.
  induction l as [|x r IH]; intros y; simpl; [reflexivity|].
  destruct (x <? y); simpl; rewrite IH; reflexivity.
Qed.

Lemma length_top : forall a n m, length (top a n m) = n.
Proof.
  induction m as [|m IH]; simpl; [apply repeat_length|]. rewrite length_put; exact IH.
Qed.

Lemma below_top : forall a n m, (forall k, 1 <= a k) -> exists b, below b (top a n m).
Proof.
  intros a n m Ha. induction m as [|m [b IH]]; simpl.
  - exists 0. induction n as [|n IH]; simpl; [exact I|split; [lia|exact IH]].
  - exists (Z.max b (a m)). specialize (Ha m). apply below_put; [|lia].
    apply below_more with b; [assumption|lia].
Qed.

Definition total_of (l : list Z) : Z := fold_right Z.add 0 l.

Lemma sum_put : forall l b y, below b l -> 0 <= y -> total_of (insert_top y l) <= total_of l + y.
Proof.
  induction l as [|x r IH]; intros b y H Hy; simpl in *; [lia|].
  destruct H as [Hx Hr]. destruct (x <? y); simpl.
  - specialize (IH x x Hr). lia.
  - specialize (IH x y Hr Hy). lia.
Qed.

Lemma sum_top : forall a n m, (forall k, 1 <= a k) -> total_of (top a n m) <= spent a m.
Proof.
  intros a n m Ha. induction m as [|m IH]; simpl.
  - induction n as [|n IH]; simpl; lia.
  - destruct (below_top a n m Ha) as [b Hb]. specialize (Ha m).
    pose proof (sum_put _ b (a m) Hb). lia.
Qed.

Lemma spent_at_least : forall a m, (forall k, 1 <= a k) -> Z.of_nat m <= spent a m.
Proof.
  intros a m Ha. induction m as [|m IH]; simpl spent; [lia|]. specialize (Ha m). lia.
Qed.

Lemma phi_bound : forall l b i, below b l -> 0 <= i -> 0 <= b ->
  phi i l <= (i + Z.of_nat (length l)) * Z.of_nat (length l) * b.
Proof.
  induction l as [|x r IH]; intros b i H Hi Hb; [simpl; lia|].
  destruct H as [Hx Hr]. cbn [phi length]. rewrite Nat2Z.inj_succ.
  assert (Hr' : below b r) by (apply below_more with x; [exact Hr|lia]).
  pose proof (IH b (i + 1) Hr' ltac:(lia) Hb).
  set (k := Z.of_nat (length r)) in *. assert (0 <= k) by (unfold k; lia).
  assert (i * x <= i * b) by (apply Z.mul_le_mono_nonneg_l; lia).
  replace ((i + Z.succ k) * Z.succ k * b) with ((i + 1 + k) * k * b + i * b + (1 + k) * b) by ring.
  assert (0 <= (1 + k) * b) by (apply Z.mul_nonneg_nonneg; lia). lia.
Qed.

(* Lemma 5, in two halves. *)

Definition low (p : nat) (y : Z) (l : list Z) : bool := forallb (fun x => y <=? x) (firstn p l).

Lemma put_small : forall w l y b, Forall (fun x => 0 <= x <= scale) w -> below b l -> 0 <= y ->
  weighted w (insert_top y l) <= weighted w l + scale * y.
Proof.
  induction w as [|w ws IH]; intros l y b Hw Hl Hy.
  - pose proof scale_positive. destruct l; simpl; nia.
  - destruct l as [|x r]; [simpl; pose proof scale_positive; nia|].
    inversion Hw; subst. destruct Hl as [Hx Hr]. simpl.
    destruct (Z.ltb_spec x y); simpl.
    + pose proof (IH r x x H2 Hr ltac:(lia)). nia.
    + pose proof (IH r y x H2 Hr Hy). lia.
Qed.

Lemma put_low : forall p w l y b, Forall (fun x => 0 <= x <= scale) (skipn p w) ->
  below b l -> 0 <= y -> low p y l = true -> weighted w (insert_top y l) <= weighted w l + scale * y.
Proof.
  induction p as [|p IH]; intros w l y b Hw Hl Hy H; [exact (put_small w l y b Hw Hl Hy)|].
  pose proof scale_positive.
  destruct w as [|w ws]; [simpl; nia|]. destruct l as [|x r]; [simpl; nia|].
  destruct Hl as [Hx Hr]. unfold low in H. simpl in H. apply andb_prop in H. destruct H as [H1 H2].
  apply Z.leb_le in H1. simpl. destruct (Z.ltb_spec x y); [lia|]. simpl.
  pose proof (IH ws r y x Hw Hr Hy H2). lia.
Qed.

Lemma put_high : forall k w l x y, length w = length l ->
  Forall (fun z => scale <= z) (firstn k w) -> y <= x -> low k y l = false ->
  weighted w (insert_top y l) + scale * (x - y) <= weighted w (insert_top x l).
Proof.
  induction k as [|k IH]; intros w l x y Hn Hw Hy H; [discriminate|].
  destruct l as [|z t]; [discriminate|]. destruct w as [|w ws]; [discriminate|].
  simpl in Hw. inversion Hw; subst. simpl in Hn. injection Hn as Hn.
  unfold low in H. simpl in H. simpl.
  destruct (Z.ltb_spec z y) as [H0|H0].
  - destruct (Z.ltb_spec z x); [|lia]. simpl. nia.
  - assert (E : (y <=? z) = true) by (apply Z.leb_le; lia). rewrite E in H. simpl in H.
    destruct (Z.ltb_spec z x) as [H1|H1]; simpl.
    + pose proof (IH ws t z y Hn H3 ltac:(lia) H). nia.
    + pose proof (IH ws t x y Hn H3 Hy H). lia.
Qed.

(* The largest, once more. *)

Lemma dot_twice : forall w r x, below x r -> length w = length r ->
  weighted w (insert_top x r) = hd 0 w * x + weighted (tl w) r.
Proof.
  induction w as [|w ws IH]; intros r x Hr Hn; destruct r as [|z t]; try discriminate; [reflexivity|].
  destruct Hr as [Hz Ht]. simpl in Hn. injection Hn as Hn. simpl.
  assert (E : weighted ws (z :: t) = hd 0 ws * z + weighted (tl ws) t)
    by (destruct ws; simpl; [destruct t; reflexivity|reflexivity]).
  destruct (Z.ltb_spec z x); simpl.
  - rewrite (IH t z Ht Hn). rewrite E. reflexivity.
  - assert (z = x) by lia. subst z. rewrite (IH t x Ht Hn). rewrite E. reflexivity.
Qed.

Lemma factors_sum : forall u v a d w i r b, factors u v a d i w = true -> below b r ->
  length w = length r ->
  (d - a) * v * scale * phi i r + a * u * weighted (tl w) r <= u * d * weighted w r.
Proof.
  induction w as [|w ws IH]; intros i r b H Hr Hn; destruct r as [|x t]; try discriminate; [simpl; lia|].
  simpl in Hn. injection Hn as Hn. destruct Hr as [Hx Ht]. simpl in H. apply andb_prop in H.
  destruct H as [H1 H2]. apply Z.leb_le in H1. pose proof (IH (i + 1) t x H2 Ht Hn) as H3.
  assert (E : weighted ws (x :: t) = hd 0 ws * x + weighted (tl ws) t)
    by (destruct ws; simpl; [destruct t; reflexivity|reflexivity]).
  cbn [phi tl]. rewrite E. cbn [weighted].
  apply (Z.mul_le_mono_nonneg_r _ _ x) in H1; [|lia].
  set (s := (d - a) * v * scale) in *. nia.
Qed.

Lemma falls_dot : forall w w' l e t b, falls_within e t w w' = true -> t <= e -> below b l -> 0 <= b ->
  weighted w l - weighted w' l + t * b <= e * b.
Proof.
  induction w as [|x r IH]; intros w' l e t b H Ht Hl Hb; destruct w' as [|x' r']; try discriminate.
  - simpl. nia.
  - destruct l as [|y l]; [simpl; nia|]. destruct Hl as [Hy Hl]. simpl in H. apply andb_prop in H.
    destruct H as [H1 H2]. apply Z.leb_le in H1.
    pose proof (IH r' l e (t + x - x') y H2 H1 Hl ltac:(lia)). simpl. nia.
Qed.

Lemma power_grows : forall a d k, 0 <= a -> a < d -> (a + Z.of_nat k) * a ^ Z.of_nat k <= a * d ^ Z.of_nat k.
Proof.
  intros a d k Ha Hd. induction k as [|k IH]; [simpl; lia|].
  rewrite Nat2Z.inj_succ. rewrite !Z.pow_succ_r by lia.
  set (j := Z.of_nat k) in *. assert (0 <= j) by (unfold j; lia).
  assert (0 <= a ^ j) by (apply Z.pow_nonneg; lia).
  assert (0 <= d ^ j) by (apply Z.pow_nonneg; lia).
  assert ((a + 1) * (a * d ^ j) <= d * (a * d ^ j)) by (apply Z.mul_le_mono_nonneg_r; nia).
  assert ((a + 1) * ((a + j) * a ^ j) <= (a + 1) * (a * d ^ j)) by (apply Z.mul_le_mono_nonneg_l; lia).
  assert (0 <= j * a ^ j) by (apply Z.mul_nonneg_nonneg; lia). nia.
Qed.

(* One step of the descent. *)

Lemma firstn_large : forall r, Forall (fun z => scale <= z) (firstn (large r) r).
Proof.
  induction r as [|x r IH]; simpl; [constructor|]. destruct (Z.leb_spec scale x); simpl.
  - constructor; assumption.
  - constructor.
Qed.

Lemma below_head : forall l b, below b l -> below (hd 0 l) l.
Proof. destruct l as [|x r]; simpl; intros b H; [exact I|]. split; [lia|tauto]. Qed.

Lemma head_nonneg : forall l b, below b l -> 0 <= hd 0 l.
Proof. destruct l as [|x r]; simpl; intros b H; lia. Qed.

Lemma head_low : forall p y l, low (S p) y l = true -> hd 0 (insert_top y l) = hd 0 l.
Proof.
  intros p y l H. destruct l as [|x r]; [reflexivity|]. unfold low in H. simpl in H.
  apply andb_prop in H. destruct H as [H _]. apply Z.leb_le in H. simpl.
  destruct (Z.ltb_spec x y); [lia|reflexivity].
Qed.

Lemma first_high : forall p a n m N,
  (exists k, low p (a (m + k)%nat) (top a n (m + k)) = false /\
    forall j, (j < k)%nat -> low p (a (m + j)%nat) (top a n (m + j)) = true) \/
  (forall j, (j < N)%nat -> low p (a (m + j)%nat) (top a n (m + j)) = true).
Proof.
  intros p a n m N. induction N as [|N [IH|IH]]; [right; intros; lia|left; exact IH|].
  destruct (low p (a (m + N)%nat) (top a n (m + N))) eqn:E.
  - right. intros j Hj. destruct (Nat.eq_dec j N) as [->|]; [exact E|]. apply IH. lia.
  - left. exists N. split; [exact E|exact IH].
Qed.

Lemma next_high : forall p a n u v m0 m,
  (forall k, 1 <= a k) -> 0 < u -> 0 < v ->
  (forall k, (m0 <= k)%nat -> u * spent a k <= v * phi 1 (top a n k)) -> (m0 <= m)%nat ->
  exists k, low (S p) (a (m + k)%nat) (top a n (m + k)) = false /\
    forall j, (j < k)%nat -> low (S p) (a (m + j)%nat) (top a n (m + j)) = true.
Proof.
  intros p a n u v m0 m Ha Hu Hv H Hm.
  set (bound := v * ((1 + Z.of_nat n) * Z.of_nat n * hd 0 (top a n m))).
  destruct (first_high (S p) a n m (S (Z.to_nat bound))) as [E|E]; [exact E|exfalso].
  assert (F : forall j, (j <= S (Z.to_nat bound))%nat -> hd 0 (top a n (m + j)) = hd 0 (top a n m)).
  { induction j as [|j IH]; intros Hj; [rewrite Nat.add_0_r; reflexivity|].
    rewrite Nat.add_succ_r. simpl top. rewrite (head_low p) by (apply E; lia). apply IH. lia. }
  specialize (F _ (le_n _)). set (k := (m + S (Z.to_nat bound))%nat) in *.
  destruct (below_top a n k Ha) as [b Hb]. pose proof (head_nonneg _ _ Hb) as H0.
  pose proof (phi_bound _ _ 1 (below_head _ _ Hb) ltac:(lia) H0) as H1.
  rewrite length_top in H1. rewrite F in H1. specialize (H k ltac:(unfold k; lia)).
  pose proof (spent_at_least a k Ha) as H2.
  assert (v * phi 1 (top a n k) <= bound) by (unfold bound; apply Z.mul_le_mono_nonneg_l; lia).
  assert (Z.of_nat k <= u * spent a k) by nia.
  assert (bound < Z.of_nat k) by (unfold k; lia). lia.
Qed.

Lemma lemma_4_facts : forall u v q d w r, lemma_4 u v q d w r = true ->
  0 <= q < d /\ w < scale /\ Forall (fun x => 0 <= x <= scale) (skipn (large r) r) /\
  (d - q) * v * scale + q * u * (w + hd 0 r - scale) <= u * d * w /\
  factors u v q d 2 r = true.
Proof.
  intros u v q d w r H. unfold lemma_4 in H. repeat rewrite andb_true_iff in H.
  destruct H as [[[[[H1 H2] H3] H4] H5] H6].
  apply Z.leb_le in H1. apply Z.ltb_lt in H2, H3. apply Z.leb_le in H5.
  rewrite forallb_forall in H4. repeat split; try assumption.
  apply Forall_forall. intros x Hx. specialize (H4 x Hx). apply andb_prop in H4.
  destruct H4 as [H7 H8]. apply Z.leb_le in H7, H8. lia.
Qed.

(* A number below l_p. *)
Lemma below_l_p : forall u v q d w r l y b, lemma_4 u v q d w r = true -> below b l -> 0 <= y ->
  low (S (large r)) y l = true -> weighted (w :: r) (insert_top y l) <= weighted (w :: r) l + scale * y.
Proof.
  intros u v q d w r l y b G Hl Hy H. apply lemma_4_facts in G. destruct G as [_ [_ [G _]]].
  exact (put_low (S (large r)) (w :: r) l y b G Hl Hy H).
Qed.

(* A larger number does no more than the largest, once more. *)
Lemma above_l_p : forall u v q d w r x t y P B, lemma_4 u v q d w r = true ->
  below x t -> 0 <= x -> length r = length t -> low (S (large r)) y (x :: t) = false ->
  0 < P -> 0 <= B <= P * (scale - w) ->
  P * (weighted (w :: r) (insert_top y (x :: t)) - scale * y) + B * hd 0 (insert_top y (x :: t)) <=
  P * ((w + hd 0 r - scale) * x + weighted (tl r) t) + B * x.
Proof.
  intros u v q d w r x t y P B G Ht Hx Hn H HP HB.
  apply lemma_4_facts in G. destruct G as [_ [Hw _]].
  pose proof (dot_twice r t x Ht Hn) as E. cbn [insert_top]. destruct (Z.ltb_spec x y) as [Hy|Hy]; cbn [weighted hd].
  - rewrite E. assert (0 <= (P * (scale - w) - B) * (y - x)) by (apply Z.mul_nonneg_nonneg; lia). nia.
  - assert (H' : low (large r) y t = false).
    { unfold low in *. simpl in H. apply andb_false_iff in H. destruct H as [H|H]; [|exact H].
      apply Z.leb_gt in H. lia. }
    pose proof (put_high (large r) r t x y Hn (firstn_large r) Hy H') as F.
    rewrite E in F. apply Z.add_le_mono_r. apply Z.mul_le_mono_nonneg_l; [lia|]. lia.
Qed.

Lemma contract : forall n u v q d w r a m0 P B,
  lemma_4 u v q d w r = true -> length (w :: r) = n -> 0 < u -> 0 < v -> (forall k, 1 <= a k) ->
  (forall m, (m0 <= m)%nat -> u * spent a m <= v * phi 1 (top a n m)) ->
  0 < P -> 0 <= B <= P * (scale - w) ->
  (forall m, (m0 <= m)%nat -> P * (scale * spent a m - weighted (w :: r) (top a n m)) <= B * hd 0 (top a n m)) ->
  forall m, (m0 <= m)%nat ->
    d * P * (scale * spent a m - weighted (w :: r) (top a n m)) <= q * B * hd 0 (top a n m).
Proof.
  intros n u v q d w r a m0 P B G Hn Hu Hv Ha H HP HB D.
  pose proof scale_positive as Hs.
  assert (high : forall m, (m0 <= m)%nat -> low (S (large r)) (a m) (top a n m) = false ->
    d * P * (scale * spent a m - weighted (w :: r) (top a n m)) <= q * B * hd 0 (top a n m)).
  { intros m Hm E. specialize (H m Hm). specialize (D (S m) ltac:(lia)). simpl spent in D. simpl top in D.
    destruct (below_top a n m Ha) as [b Hb]. pose proof (length_top a n m) as Hl.
    destruct (top a n m) as [|x t]; [rewrite <- Hn in Hl; discriminate|].
    destruct Hb as [Hx Ht]. assert (Hr : length r = length t) by (simpl in *; lia).
    pose proof (above_l_p u v q d w r x t (a m) P B G Ht ltac:(lia) Hr E HP HB) as F.
    pose proof (lemma_4_facts _ _ _ _ _ _ G) as [Hq [_ [_ [K1 K2]]]].
    pose proof (factors_sum u v q d r 2 t x K2 Ht Hr) as K.
    apply (Z.mul_le_mono_nonneg_r _ _ x) in K1; [|lia].
    cbn [phi hd weighted] in *. change (1 + 1) with 2 in H.
    set (A := spent a m) in *. set (g := (w + hd 0 r - scale) * x + weighted (tl r) t) in *.
    assert (J : P * (scale * A) <= P * g + B * x) by lia.
    set (ph := 1 * x + phi 2 t) in *. set (L := w * x + weighted r t) in *.
    assert (K3 : (d - q) * v * scale * ph + q * u * g <= u * d * L) by (unfold ph, g, L; lia).
    assert (J1 : (d - q) * P * scale * (u * A) <= (d - q) * P * scale * (v * ph))
      by (apply Z.mul_le_mono_nonneg_l; [repeat apply Z.mul_nonneg_nonneg; lia|exact H]).
    assert (J2 : q * u * (P * (scale * A)) <= q * u * (P * g + B * x))
      by (apply Z.mul_le_mono_nonneg_l; [apply Z.mul_nonneg_nonneg; lia|exact J]).
    assert (J3 : P * ((d - q) * v * scale * ph + q * u * g) <= P * (u * d * L))
      by (apply Z.mul_le_mono_nonneg_l; lia).
    apply (Zmult_le_reg_r _ _ u); [lia|]. clear - J1 J2 J3. lia. }
  intros m Hm. destruct (next_high (large r) a n u v m0 m Ha Hu Hv H Hm) as [k [E F]].
  revert m Hm E F. induction k as [|k IH]; intros m Hm E F.
  - rewrite Nat.add_0_r in E. apply high; assumption.
  - assert (F0 := F 0%nat ltac:(lia)). rewrite Nat.add_0_r in F0.
    assert (IH' := IH (S m) ltac:(lia)). rewrite Nat.add_succ_comm in IH'. specialize (IH' E).
    assert (D' : forall j, (j < k)%nat -> low (S (large r)) (a (S m + j)%nat) (top a n (S m + j)) = true)
      by (intros j Hj; rewrite Nat.add_succ_comm; apply F; lia).
    specialize (IH' D'). simpl spent in IH'. simpl top in IH'.
    rewrite (head_low (large r)) in IH' by exact F0.
    destruct (below_top a n m Ha) as [b Hb]. pose proof (Ha m).
    pose proof (below_l_p u v q d w r _ (a m) b G Hb ltac:(lia) F0) as K.
    pose proof (lemma_4_facts _ _ _ _ _ _ G) as [Hq _].
    eapply Z.le_trans; [|exact IH']. apply Z.mul_le_mono_nonneg_l; [nia|]. lia.
Qed.

(* From a slack within 1 - lambda_1 to none. *)
Lemma no_slack : forall n u v q d w r a m0,
  lemma_4 u v q d w r = true -> length (w :: r) = n -> 0 < u -> 0 < v -> (forall k, 1 <= a k) ->
  (forall m, (m0 <= m)%nat -> u * spent a m <= v * phi 1 (top a n m)) ->
  (forall m, (m0 <= m)%nat -> scale * spent a m - weighted (w :: r) (top a n m) <= (scale - w) * hd 0 (top a n m)) ->
  forall m, (m0 <= m)%nat -> scale * spent a m <= weighted (w :: r) (top a n m).
Proof.
  intros n u v q d w r a m0 G Hn Hu Hv Ha H D m Hm.
  pose proof (lemma_4_facts _ _ _ _ _ _ G) as [Hq [Hw _]].
  assert (K : forall k m, (m0 <= m)%nat ->
    d ^ Z.of_nat k * (scale * spent a m - weighted (w :: r) (top a n m)) <=
    q ^ Z.of_nat k * (scale - w) * hd 0 (top a n m)).
  { induction k as [|k IH]; intros i Hi; [simpl Z.of_nat; rewrite !Z.pow_0_r; specialize (D i Hi); lia|].
    rewrite Nat2Z.inj_succ, !Z.pow_succ_r by lia.
    rewrite <- (Z.mul_assoc q). apply (contract n u v q d w r a m0); try assumption.
    - apply Z.pow_pos_nonneg; lia.
    - split; [apply Z.mul_nonneg_nonneg; [apply Z.pow_nonneg|]; lia|].
      apply Z.mul_le_mono_nonneg_r; [lia|]. apply Z.pow_le_mono_l; lia. }
  apply Z.nlt_ge. intros C.
  destruct (below_top a n m Ha) as [b Hb]. pose proof (head_nonneg _ _ Hb) as H0.
  set (c := (scale - w) * hd 0 (top a n m)). assert (0 <= c) by (unfold c; apply Z.mul_nonneg_nonneg; lia).
  set (k := S (Z.to_nat (q * c))). specialize (K k m Hm).
  assert (P := power_grows q d k ltac:(lia) ltac:(lia)).
  assert (0 < d ^ Z.of_nat k) by (apply Z.pow_pos_nonneg; lia).
  assert (0 <= q ^ Z.of_nat k) by (apply Z.pow_nonneg; lia).
  assert (K1 : d ^ Z.of_nat k <= q ^ Z.of_nat k * c) by (unfold c; nia).
  destruct (Z.eq_dec q 0) as [->|].
  - rewrite Z.pow_0_l in K1 by (unfold k; lia). lia.
  - assert (K2 : q * d ^ Z.of_nat k <= q * (q ^ Z.of_nat k * c)) by (apply Z.mul_le_mono_nonneg_l; lia).
    assert (0 < q ^ Z.of_nat k) by (apply Z.pow_pos_nonneg; lia).
    assert (q * c < Z.of_nat k) by (unfold k; rewrite Nat2Z.inj_succ, Z2Nat.id; nia).
    nia.
Qed.

Lemma follow_ends : forall steps n u v d before a m0,
  follow n u v d before steps = true -> length before = n -> 0 < u -> 0 < v -> (forall k, 1 <= a k) ->
  (forall m, (m0 <= m)%nat -> u * spent a m <= v * phi 1 (top a n m)) ->
  (forall m, (m0 <= m)%nat -> scale * spent a m <= weighted before (top a n m)) ->
  exists w, length w = n /\ forallb (fun x => x <=? scale) w = true /\
    (hd 0 w < scale \/ w = before) /\
    forall m, (m0 <= m)%nat -> scale * spent a m <= weighted w (top a n m).
Proof.
  induction steps as [|q rest IH]; intros n u v d before a m0 F Hn Hu Hv Ha H D.
  - exists before. repeat split; try assumption. right; reflexivity.
  - cbn [follow] in F. destruct (weights n u v q d) as [|w r]; [discriminate|].
    repeat rewrite andb_true_iff in F. destruct F as [[[G E] W] F].
    apply Nat.eqb_eq in E. pose proof (lemma_4_facts _ _ _ _ _ _ G) as [_ [Hw _]].
    assert (D' : forall m, (m0 <= m)%nat -> scale * spent a m <= weighted (w :: r) (top a n m)).
    { apply (no_slack n u v q d w r a m0); try assumption. intros m Hm.
      destruct (below_top a n m Ha) as [b Hb].
      pose proof (falls_dot _ _ _ _ _ _ W ltac:(lia) (below_head _ _ Hb) (head_nonneg _ _ Hb)).
      specialize (D m Hm). lia. }
    destruct (IH n u v d (w :: r) a m0 F E Hu Hv Ha H D') as [w' [H1 [H2 [H3 H4]]]].
    exists w'. repeat split; try assumption. left. destruct H3 as [H3| ->]; [exact H3|exact Hw].
Qed.

Lemma dot_small : forall w l b, forallb (fun x => x <=? scale) w = true -> below b l ->
  weighted w l <= scale * total_of l.
Proof.
  induction w as [|x w IH]; intros l b H Hl.
  - pose proof scale_positive. destruct l as [|y l]; [simpl; lia|]. cbn [weighted].
    assert (0 <= total_of (y :: l)); [|nia]. clear - Hl. revert b Hl. generalize (y :: l) as t.
    induction t as [|z t IH]; simpl; intros b Hl; [lia|]. destruct Hl as [Hz Ht]. specialize (IH z Ht). lia.
  - destruct l as [|y l]; [simpl; lia|]. destruct Hl as [Hy Hl]. simpl in H. apply andb_prop in H.
    destruct H as [H1 H2]. apply Z.leb_le in H1. specialize (IH l y H2 Hl). simpl. nia.
Qed.

(* If the steps are accepted, no sequence goes on. *)
Theorem no_sequence : forall n u v d steps, descends n u v d steps = true -> forall a, ~ goes_on n u v a.
Proof.
  intros n u v d steps T a [Ha [m0 H]]. unfold descends in T.
  destruct (weights n u v 0 d) as [|w r]; [discriminate|].
  repeat rewrite andb_true_iff in T. destruct T as [[[[Hu Hv] G] E] F].
  apply Z.ltb_lt in Hu, Hv. apply Nat.eqb_eq in E.
  pose proof (lemma_4_facts _ _ _ _ _ _ G) as [Hd [Hw [_ [K1 K2]]]].
  pose proof scale_positive as Hs.
  assert (D : forall m, (m0 <= m)%nat -> scale * spent a m <= weighted (w :: r) (top a n m)).
  { intros m Hm. specialize (H m Hm). destruct (below_top a n m Ha) as [b Hb].
    pose proof (length_top a n m) as Hl. destruct (top a n m) as [|x t]; [rewrite <- E in Hl; discriminate|].
    destruct Hb as [Hx Ht]. assert (Hr : length r = length t) by (simpl in *; lia).
    pose proof (factors_sum u v 0 d r 2 t x K2 Ht Hr) as K.
    apply (Z.mul_le_mono_nonneg_r _ _ x) in K1; [|lia].
    cbn [phi weighted] in *. change (1 + 1) with 2 in H.
    apply (Zmult_le_reg_r _ _ (u * d)); [nia|].
    assert (d * scale * (u * spent a m) <= d * scale * (v * (1 * x + phi 2 t)))
      by (apply Z.mul_le_mono_nonneg_l; [nia|exact H]).
    lia. }
  destruct (follow_ends steps n u v d (w :: r) a m0 F E Hu Hv Ha H D) as [w' [H1 [H2 [H3 H4]]]].
  assert (H5 : hd 0 w' < scale) by (destruct H3 as [H3| ->]; [exact H3|exact Hw]).
  specialize (H4 (S m0) ltac:(lia)). specialize (H (S m0) ltac:(lia)).
  destruct (below_top a n (S m0) Ha) as [b Hb]. pose proof (sum_top a n (S m0) Ha) as H6.
  pose proof (spent_at_least a (S m0) Ha) as H7. pose proof (length_top a n (S m0)) as Hl.
  destruct w' as [|x' w']; [rewrite <- H1 in E; discriminate|].
  destruct (top a n (S m0)) as [|x t]; [rewrite <- E in Hl; discriminate|].
  pose proof (phi_bound _ _ 1 (below_head _ _ Hb) ltac:(lia) (head_nonneg _ _ Hb)) as H8.
  destruct Hb as [Hx Ht]. simpl in H2. apply andb_prop in H2. destruct H2 as [_ H2].
  pose proof (dot_small w' t x H2 Ht) as H9. cbn [hd weighted] in *. simpl total_of in H6. fold (total_of t) in H6.
  assert (0 < x); [|nia].
  destruct (Z.eq_dec x 0) as [->|]; [|lia]. exfalso. rewrite Z.mul_0_r in H8.
  assert (0 < u * spent a (S m0)) by (apply Z.mul_pos_pos; lia). nia.
Qed.
