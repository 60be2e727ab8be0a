(* The potential of area budget: Lemma 11 of mixed_non_clairvoyant.md, with the numbers named there. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool.
Import ListNotations.
Open Scope Q_scope.

Definition stage_growth : Q := 5 # 3.  (* lambda *)
Definition pair_factor : Q := 5 # 4.  (* F *)
Definition pot_beta : Q := 47 # 25.
Definition pot_gamma : Q := 2 # 5.

(* V (z, r); r / 0 is 0 in Coq, so V (0, 0) is 0. *)
Definition potential (z r : Q) : Q := r * (1 - r / z) * (pot_beta - pot_gamma * (r / z)).

(* G (s, p). *)
Definition potential_gap (s p : Q) : Q :=
  (1 - s) * (pot_beta - pot_gamma * s)
  - stage_growth * (1 - p) * (1 - pair_factor * (1 + p) * s + p * (pot_beta - pot_gamma * p)).

(* --- The finite check -------------------------------------------------------------------- *)

(* Its polar form, linear in each of a, b and in each of c, d, e: the Bernstein coefficients of G on
   [a, b] x [c, d] are its values with each argument at an end. *)
Definition polar (a b c d e : Q) : Q :=
  let s1 := (a + b) * (1 # 2) in
  let p1 := (c + d + e) * (1 # 3) in
  let p2 := (c * d + d * e + c * e) * (1 # 3) in
  pot_beta - (pot_beta + pot_gamma) * s1 + pot_gamma * (a * b)
  - stage_growth * (1 + (pot_beta - 1) * p1 - (pot_gamma + pot_beta) * p2 + pot_gamma * (c * d * e))
  + stage_growth * pair_factor * s1 * (1 - p2).

Definition bernstein (a b c d : Q) : list Q :=
  [polar a a c c c; polar a a c c d; polar a a c d d; polar a a d d d;
   polar a b c c c; polar a b c c d; polar a b c d d; polar a b d d d;
   polar b b c c c; polar b b c c d; polar b b c d d; polar b b d d d].

Definition sixteenth (i : Z) : Q := i # 16.
Definition sixteen : list Z := map Z.of_nat (seq 0 16).
Definition cells_hold : bool :=
  forallb (fun i => forallb (fun j =>
      forallb (Qle_bool 0) (bernstein (sixteenth i) (sixteenth (i + 1)) (sixteenth j) (sixteenth (j + 1))))
    sixteen) sixteen.

Lemma cells_computed : cells_hold = true.
Proof. vm_compute. reflexivity. Qed.

Lemma cells_sound : cells_hold = true -> forall i j, In i sixteen -> In j sixteen ->
  forall x, In x (bernstein (sixteenth i) (sixteenth (i + 1)) (sixteenth j) (sixteenth (j + 1))) -> 0 <= x.
Proof.
  unfold cells_hold. generalize sixteen. intros l H i j Hi Hj x Hx.
  apply (proj1 (forallb_forall _ _)) with (x := i) in H; [|exact Hi].
  apply (proj1 (forallb_forall _ _)) with (x := j) in H; [|exact Hj].
  apply (proj1 (forallb_forall _ _)) with (x := x) in H; [|exact Hx]. apply Qle_bool_iff, H.
Qed.

(* --- Proofs ------------------------------------------------------------------------------ *)

(* On a cell G is a combination of the coefficients, with factors that are not negative. *)
Lemma gap_on_cell a b c d u v :
  (forall x, In x (bernstein a b c d) -> 0 <= x) -> 0 <= u <= 1 -> 0 <= v <= 1 ->
  0 <= potential_gap (a + (b - a) * u) (c + (d - c) * v).
Proof.
  intros H Hu Hv. set (u' := 1 - u). set (v' := 1 - v).
  assert (Hu' : 0 <= u') by (unfold u'; lra). assert (Hv' : 0 <= v') by (unfold v'; lra).
  assert (E : potential_gap (a + (b - a) * u) (c + (d - c) * v) ==
      (u' * u') * ((v' * v' * v') * polar a a c c c + 3 * (v' * v' * v) * polar a a c c d
        + 3 * (v' * v * v) * polar a a c d d + (v * v * v) * polar a a d d d)
      + 2 * (u' * u) * ((v' * v' * v') * polar a b c c c + 3 * (v' * v' * v) * polar a b c c d
        + 3 * (v' * v * v) * polar a b c d d + (v * v * v) * polar a b d d d)
      + (u * u) * ((v' * v' * v') * polar b b c c c + 3 * (v' * v' * v) * polar b b c c d
        + 3 * (v' * v * v) * polar b b c d d + (v * v * v) * polar b b d d d)).
  { unfold u', v', potential_gap, polar, stage_growth, pair_factor, pot_beta, pot_gamma. ring. }
  rewrite E. clear E.
  assert (Hm : forall x y, 0 <= x -> 0 <= y -> 0 <= x * y) by (intros; apply Qmult_le_0_compat; assumption).
  assert (Hrow : forall w x y z, 0 <= w -> 0 <= x -> 0 <= y -> 0 <= z ->
    0 <= (v' * v' * v') * w + 3 * (v' * v' * v) * x + 3 * (v' * v * v) * y + (v * v * v) * z).
  { intros w x y z Hw Hx Hy Hz.
    assert (0 <= v) by apply Hv.
    assert (0 <= v' * v' * v' * w) by auto. assert (0 <= v' * v' * v * x) by auto.
    assert (0 <= v' * v * v * y) by auto. assert (0 <= v * v * v * z) by auto. lra. }
  apply Forall_forall in H. unfold bernstein in H.
  pose proof (Forall_inv H) as B1. apply Forall_inv_tail in H. pose proof (Forall_inv H) as B2. apply Forall_inv_tail in H.
  pose proof (Forall_inv H) as B3. apply Forall_inv_tail in H. pose proof (Forall_inv H) as B4. apply Forall_inv_tail in H.
  pose proof (Forall_inv H) as B5. apply Forall_inv_tail in H. pose proof (Forall_inv H) as B6. apply Forall_inv_tail in H.
  pose proof (Forall_inv H) as B7. apply Forall_inv_tail in H. pose proof (Forall_inv H) as B8. apply Forall_inv_tail in H.
  pose proof (Forall_inv H) as B9. apply Forall_inv_tail in H. pose proof (Forall_inv H) as B10. apply Forall_inv_tail in H.
  pose proof (Forall_inv H) as B11. apply Forall_inv_tail in H. pose proof (Forall_inv H) as B12. clear H.
  assert (R1 := Hrow _ _ _ _ B1 B2 B3 B4). assert (R2 := Hrow _ _ _ _ B5 B6 B7 B8).
  assert (R3 := Hrow _ _ _ _ B9 B10 B11 B12). clear B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12.
  set (r1 := _ + _ + _ + _) in R1. set (r2 := _ + _ + _ + _) in R2. set (r3 := _ + _ + _ + _) in R3.
  fold r1 r2 r3. assert (0 <= u) by apply Hu.
  assert (0 <= u' * u' * r1) by auto. assert (0 <= u' * u * r2) by auto. assert (0 <= u * u * r3) by auto.
  lra.
Qed.

(* Every number of [0, 1] is in one of the sixteen parts. *)
Lemma in_part s : 0 <= s <= 1 -> exists i u,
  In i sixteen /\ 0 <= u <= 1 /\ s == sixteenth i + (sixteenth (i + 1) - sixteenth i) * u.
Proof.
  intros Hs.
  assert (Hi : exists i, (0 <= i < 16)%Z /\ inject_Z i <= 16 * s <= inject_Z i + 1).
  { pose proof (Qfloor_le (16 * s)) as H1. pose proof (Qlt_floor (16 * s)) as H2.
    set (i := Qfloor (16 * s)) in *. rewrite inject_Z_plus in H2. change (inject_Z 1) with 1 in H2.
    assert (H0 : (0 <= i)%Z).
    { unfold i. change 0%Z with (Qfloor 0). apply Qfloor_resp_le. lra. }
    destruct (Z.lt_ge_cases i 16) as [H|H].
    - exists i. split; [lia|lra].
    - exists 15%Z. split; [lia|]. rewrite Zle_Qle in H. change (inject_Z 16) with 16 in H.
      change (inject_Z 15) with 15. lra. }
  destruct Hi as (i & Hi & Hlow & Hhigh). exists i, (16 * s - inject_Z i).
  assert (E : forall z, sixteenth z == inject_Z z * (1 # 16)).
  { intros z. unfold sixteenth, Qeq. cbn. lia. }
  split; [|split; [lra|]].
  - unfold sixteen. apply in_map_iff. exists (Z.to_nat i). split; [lia|]. apply in_seq. lia.
  - rewrite !E, inject_Z_plus. change (inject_Z 1) with 1. field.
Qed.

Lemma gap_nonneg s p : 0 <= s <= 1 -> 0 <= p <= 1 -> 0 <= potential_gap s p.
Proof.
  intros Hs Hp. destruct (in_part s Hs) as (i & u & Hi & Hu & Es). destruct (in_part p Hp) as (j & v & Hj & Hv & Ep).
  assert (E : potential_gap s p == potential_gap
      (sixteenth i + (sixteenth (i + 1) - sixteenth i) * u) (sixteenth j + (sixteenth (j + 1) - sixteenth j) * v)).
  { unfold potential_gap. rewrite <- Es, <- Ep. reflexivity. }
  rewrite E. apply gap_on_cell; [|exact Hu|exact Hv].
  exact (cells_sound cells_computed i j Hi Hj).
Qed.

(* Lemma 11 (a). *)
Theorem potential_step D z r :
  0 < D -> 0 <= r <= z -> z <= D ->
  stage_growth * ((z - r) * (1 - pair_factor * (z + r) / D) + potential z r) <= potential D z.
Proof.
  intros HD Hr Hz. destruct (Qlt_le_dec 0 z) as [Hpos|Hzero].
  - assert (H : 0 <= z * potential_gap (z / D) (r / z)).
    { apply Qmult_le_0_compat; [lra|]. apply gap_nonneg; split.
      - apply Qle_shift_div_l; lra.
      - apply Qle_shift_div_r; lra.
      - apply Qle_shift_div_l; lra.
      - apply Qle_shift_div_r; lra. }
    assert (E : potential D z - stage_growth * ((z - r) * (1 - pair_factor * (z + r) / D) + potential z r)
        == z * potential_gap (z / D) (r / z)).
    { unfold potential, potential_gap. field. lra. }
    rewrite <- E in H. lra.
  - assert (Ez : z == 0) by lra. assert (Er : r == 0) by lra. unfold potential. rewrite Ez, Er.
    apply Qle_lteq. right. unfold stage_growth, Qdiv. ring.
Qed.

(* Lemma 11 (b), (c) and (d). *)
Theorem potential_changes z r :
  0 <= r <= z ->
  (forall e, 0 <= e -> potential (z + e) (r + e) <= potential z r + pot_beta * e) /\
  (forall x, 0 <= x -> potential (z + x) r <= potential z r + (pot_beta - pot_gamma) * x) /\
  0 <= potential z r <= (pot_beta - pot_gamma) * (z - r).
Proof.
  intros Hr. destruct (Qlt_le_dec 0 z) as [Hz|Hzero].
  - assert (Hm : forall x y, 0 <= x -> 0 <= y -> 0 <= x * y) by (intros; apply Qmult_le_0_compat; assumption).
    split; [|split].
    + intros e He. set (y := (z - r) / z). set (y' := (z - r) / (z + e)).
      assert (Hy : 0 <= y <= 1) by (unfold y; split; [apply Qle_shift_div_l|apply Qle_shift_div_r]; lra).
      assert (Hy' : 0 <= y' <= 1) by (unfold y'; split; [apply Qle_shift_div_l|apply Qle_shift_div_r]; lra).
      assert (E : potential (z + e) (r + e) - potential z r ==
          e * (y * y' * (pot_beta - 2 * pot_gamma + pot_gamma * (y + y')))).
      { unfold potential, y, y'. field. split; lra. }
      assert (Hyy : 0 <= y * y') by (apply Hm; lra).
      assert (Hyy1 : y * y' <= 1 * 1).
      { apply Qle_trans with (1 * y'); [apply Qmult_le_compat_r; lra|lra]. }
      assert (H : y * y' * (pot_beta - 2 * pot_gamma + pot_gamma * (y + y')) <= pot_beta).
      { unfold pot_beta, pot_gamma in *. set (t := y * y') in *.
        assert (0 <= t * (2 - (y + y'))) by (apply Hm; lra). lra. }
      assert (0 <= e * (pot_beta - y * y' * (pot_beta - 2 * pot_gamma + pot_gamma * (y + y')))) by (apply Hm; lra).
      lra.
    + intros x Hx. set (p := r / z). set (p' := r / (z + x)).
      assert (Hp : 0 <= p <= 1) by (unfold p; split; [apply Qle_shift_div_l|apply Qle_shift_div_r]; lra).
      assert (Hp' : 0 <= p' <= 1) by (unfold p'; split; [apply Qle_shift_div_l|apply Qle_shift_div_r]; lra).
      assert (E : potential (z + x) r - potential z r ==
          x * (p * p' * (pot_beta + pot_gamma - pot_gamma * (p + p')))).
      { unfold potential, p, p'. field. split; lra. }
      assert (Hq0 : 0 <= p * p') by (apply Hm; lra).
      assert (Hq1 : p * p' <= 1 * 1).
      { apply Qle_trans with (1 * p'); [apply Qmult_le_compat_r; lra|lra]. }
      assert (Hsum : 2 * (p * p') <= p + p').
      { assert (0 <= p * (1 - p')) by (apply Hm; lra). assert (0 <= p' * (1 - p)) by (apply Hm; lra). lra. }
      assert (H : p * p' * (pot_beta + pot_gamma - pot_gamma * (p + p')) <= pot_beta - pot_gamma).
      { unfold pot_beta, pot_gamma in *. set (t := p * p') in *.
        assert (0 <= t * (p + p' - 2 * t)) by (apply Hm; lra).
        assert (0 <= (1 - t) * ((47 # 25) - (2 # 5) - 2 * (2 # 5) * t)) by (apply Hm; lra). lra. }
      assert (0 <= x * (pot_beta - pot_gamma - p * p' * (pot_beta + pot_gamma - pot_gamma * (p + p')))) by (apply Hm; lra).
      lra.
    + set (y := (z - r) / z).
      assert (Hy : 0 <= y <= 1) by (unfold y; split; [apply Qle_shift_div_l|apply Qle_shift_div_r]; lra).
      assert (E : potential z r == (z - r) * ((1 - y) * (pot_beta - pot_gamma + pot_gamma * y))).
      { unfold potential, y. field. lra. }
      assert (Hyy : 0 <= y * y) by (apply Hm; lra).
      assert (H0 : 0 <= (1 - y) * (pot_beta - pot_gamma + pot_gamma * y)).
      { apply Hm; unfold pot_beta, pot_gamma in *; lra. }
      assert (H1 : (1 - y) * (pot_beta - pot_gamma + pot_gamma * y) <= pot_beta - pot_gamma).
      { unfold pot_beta, pot_gamma in *. lra. }
      rewrite E. split; [apply Hm; lra|]. rewrite (Qmult_comm (pot_beta - pot_gamma)), !(Qmult_comm (z - r)).
      apply Qmult_le_compat_r; lra.
  - assert (Ez : z == 0) by lra. assert (Er : r == 0) by lra. split; [|split].
    + intros e He. unfold potential. rewrite Ez, Er, !Qplus_0_l. destruct (Qlt_le_dec 0 e) as [H|H].
      * assert (E : e / e == 1) by (field; lra). rewrite E. unfold pot_beta, pot_gamma. lra.
      * assert (Ee : e == 0) by lra. rewrite Ee. unfold Qdiv. lra.
    + intros x Hx. unfold potential. rewrite Er. unfold Qdiv. rewrite !Qmult_0_l. unfold pot_beta, pot_gamma. lra.
    + unfold potential. rewrite Ez, Er. unfold Qdiv. rewrite !Qmult_0_l. split; unfold pot_beta, pot_gamma; lra.
Qed.
