(* Geometric phases: Lemma 10 of sharper_bounds.md, the heart of the ratio of GSA. *)

From Coq Require Import ZArith QArith Lqa List Lia.
From Kvopt Require Import Model Sums Staggered.
Open Scope Q_scope.

(* R (g) = g + 2 g^(3/2) / (g - 1) for g = r^2, r a fraction. *)
Definition R_of (r : Q) : Q := r * r + 2 * (r * r * r) / (r * r - 1).

(* f 0 + f 1 + ... + f (n - 1). *)
Fixpoint sumQ (n : nat) (f : nat -> Q) : Q :=
  match n with O => 0 | S n' => sumQ n' f + f n' end.

Lemma phases_step r x y : 1 < r ->
  r * r * (x * x + 2 * x * y - y * y) - R_of r * (x * x - y * y)
  <= (R_of r - r * r - r) * (r * r * (y * y) - x * x).
Proof.
  intros Hr. unfold R_of. set (k := 2 * (r * r * r) / (r * r - 1)).
  assert (Hr2 : 0 < r * r - 1) by nra.
  assert (Hk : k * (r * r - 1) == 2 * (r * r * r)) by (unfold k; field; lra).
  (* the difference of the two sides is r (x - r y)^2 *)
  assert (E : (r * r + k - r * r - r) * (r * r * (y * y) - x * x)
      - (r * r * (x * x + 2 * x * y - y * y) - (r * r + k) * (x * x - y * y))
      == r * ((x - r * y) * (x - r * y)) + (k * (r * r - 1) - 2 * (r * r * r)) * (y * y)) by ring.
  assert (Hsq : 0 <= (x - r * y) * (x - r * y)).
  { destruct (Qlt_le_dec (x - r * y) 0); nra. }
  assert (0 <= r * ((x - r * y) * (x - r * y))) by (apply Qmult_le_0_compat; lra).
  rewrite Hk in E.
  assert (E0 : (2 * (r * r * r) - 2 * (r * r * r)) * (y * y) == 0) by ring.
  rewrite E0 in E. lra.
Qed.

(* Lemma 10 of sharper_bounds.md, for g = r^2 with a fraction r > 1. *)
Theorem geometric_phases r N K :
  1 < r -> N K == 0 ->
  sumQ K (fun p => power (r * r) p * (N p * N p + 2 * N p * N (S p) - N (S p) * N (S p)))
  <= R_of r * sumQ K (fun p => power (r * r) p / (r * r) * (N p * N p - N (S p) * N (S p))).
Proof.
  intros Hr HK. assert (Hg : 1 < r * r) by nra.
  set (a := R_of r - r * r - r).
  assert (Ha : 0 <= a).
  { unfold a, R_of. set (k := 2 * (r * r * r) / (r * r - 1)).
    assert (Hk : k * (r * r - 1) == 2 * (r * r * r)) by (unfold k; field; lra).
    assert (H1 : r * (r * r - 1) <= k * (r * r - 1)) by (rewrite Hk; nra).
    apply Qmult_le_r in H1; lra. }
  assert (H : forall n,
      sumQ n (fun p => power (r * r) p * (N p * N p + 2 * N p * N (S p) - N (S p) * N (S p)))
      - R_of r * sumQ n (fun p => power (r * r) p / (r * r) * (N p * N p - N (S p) * N (S p)))
      <= a * (power (r * r) n / (r * r) * (N n * N n)) - a * (1 / (r * r) * (N O * N O))).
  { induction n as [|n IH]; cbn [sumQ power]; [lra|].
    pose proof (power_pos (r * r) n ltac:(lra)) as Hp.
    pose proof (phases_step r (N n) (N (S n)) Hr) as Hstep. fold a in Hstep.
    set (P := power (r * r) n) in *. set (x := N n) in *. set (y := N (S n)) in *.
    assert (HP : 0 < P / (r * r)) by (apply Qlt_shift_div_l; lra).
    assert (Hmul : P / (r * r) * (r * r * (x * x + 2 * x * y - y * y) - R_of r * (x * x - y * y))
        <= P / (r * r) * (a * (r * r * (y * y) - x * x))).
    { rewrite !(Qmult_comm (P / (r * r))). apply Qmult_le_compat_r; [exact Hstep|lra]. }
    assert (E1 : P / (r * r) * (r * r * (x * x + 2 * x * y - y * y) - R_of r * (x * x - y * y)) ==
        P * (x * x + 2 * x * y - y * y) - R_of r * (P / (r * r) * (x * x - y * y))) by (field; lra).
    assert (E2 : P / (r * r) * (a * (r * r * (y * y) - x * x)) ==
        a * (r * r * P / (r * r) * (y * y)) - a * (P / (r * r) * (x * x))) by (field; lra).
    rewrite E1, E2 in Hmul.
    rewrite Qmult_plus_distr_r. lra. }
  specialize (H K). rewrite HK in H.
  assert (H0 : 0 <= a * (1 / (r * r) * (N O * N O))).
  { apply Qmult_le_0_compat; [exact Ha|]. apply Qmult_le_0_compat.
    - apply Qle_shift_div_l; lra.
    - destruct (Qlt_le_dec (N O) 0); nra. }
  assert (E : a * (power (r * r) K / (r * r) * (0 * 0)) == 0) by ring.
  rewrite E in H. lra.
Qed.
