(* SVF's ratio has no bound: Theorem 2 of mixed_prompts.md. *)

From Coq Require Import ZArith List Lia Bool Sorted.
From Kvopt Require Import Model Sums Completions Area Staggered InTurn MixedSvf.
Import ListNotations.
Open Scope Z_scope.

(* A long request has no prompt and the output 2 n - 1; a wide one has the output 1 and fills the
   memory, n (2 n - 1).  Both have that area. *)
Definition alternating_memory (n : Z) : Z := n * (2 * n - 1).
Definition long_request (n : Z) : request := Request 0 (2 * n - 1).
Definition wide_request (n : Z) : request := Request (alternating_memory n - 1) 1.

(* n of each kind, in turns. *)
Fixpoint in_turns (n : Z) (k : nat) : list request :=
  match k with
  | O => []
  | S k' => long_request n :: wide_request n :: in_turns n k'
  end.
Definition alternating (n : nat) : list request := in_turns (Z.of_nat n) n.

(* A pair after the other, from time p on. *)
Fixpoint pair_by_pair (n : Z) (k : nat) (p : Z) : list attempt :=
  match k with
  | O => []
  | S k' => Attempt (long_request n) p :: Attempt (wide_request n) (p + (2 * n - 1))
      :: pair_by_pair n k' (p + 2 * n)
  end.

(* The wide ones one after the other from time p on, then all long ones at once, at time n. *)
Fixpoint wide_first (n : Z) (k : nat) (p : Z) : list attempt :=
  match k with
  | O => []
  | S k' => Attempt (long_request n) n :: Attempt (wide_request n) p :: wide_first n k' (p + 1)
  end.

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma alternating_area n q k : 1 <= n -> In q (in_turns n k) -> area q = alternating_memory n.
Proof.
  intros Hn. unfold area, alternating_memory. induction k as [|k IH]; [intros []|]. intros [H|[H|H]].
  - subst q. cbn [long_request prompt output]. pose proof (vol_double 0 (2 * n - 1)). nia.
  - subst q. cbn [wide_request prompt output]. pose proof (vol_double (alternating_memory n - 1) 1).
    unfold alternating_memory in *. lia.
  - apply IH, H.
Qed.

Lemma alternating_request n q k : 1 <= n -> In q (in_turns n k) ->
  valid_request q /\ request_peak q <= alternating_memory n /\ release q = 0.
Proof.
  intros Hn. induction k as [|k IH]; [intros []|]. intros [H|[H|H]].
  - subst. unfold valid_request, request_peak, long_request, alternating_memory.
    cbn [long_request wide_request prompt output release start of]. nia.
  - subst. unfold valid_request, request_peak, wide_request, alternating_memory.
    cbn [long_request wide_request prompt output release start of]. nia.
  - apply IH, H.
Qed.

Lemma alternating_in_order n k : 1 <= n -> in_order area (in_turns n k).
Proof.
  intros Hn. assert (H : forall l, (forall q, In q l -> area q = alternating_memory n) -> in_order area l).
  { induction l as [|x l IH]; intros H; constructor.
    - apply IH. intros q Hq. apply H. simpl. auto.
    - apply Forall_forall. intros q Hq. rewrite !H by (simpl; auto). lia. }
  apply H. intros q. apply alternating_area, Hn.
Qed.

Lemma pair_by_pair_of n : forall k p, map of (pair_by_pair n k p) = in_turns n k.
Proof. induction k as [|k IH]; intros p; cbn; [reflexivity|]. rewrite IH. reflexivity. Qed.

Lemma wide_first_of n : forall k p, map of (wide_first n k p) = in_turns n k.
Proof. induction k as [|k IH]; intros p; cbn; [reflexivity|]. rewrite IH. reflexivity. Qed.

(* Beside a wide request nothing runs. *)
Lemma use_running a r : valid_request (of a) -> runs a r = true -> 1 <= use a r.
Proof. intros [Hs Ho] H. unfold use. fold (runs a r). rewrite H. unfold runs in H. lia. Qed.

Lemma wide_fills n p : 1 <= n -> use (Attempt (wide_request n) p) (p + 1) = alternating_memory n.
Proof.
  intros Hn. unfold use, completion, wide_request. cbn [start of output prompt].
  replace (p <? p + 1) with true by lia. replace (p + 1 <=? p + 1) with true by lia. cbn [andb]. lia.
Qed.

Lemma pair_by_pair_in_turn n : 1 <= n -> forall k p started,
  0 <= p -> Forall valid started -> fits (alternating_memory n) started ->
  (forall b, In b started -> completion b <= p) ->
  (started = [] /\ p = 0 \/
    exists rest, started = Attempt (wide_request n) (p - 1) :: rest) ->
  in_turn (alternating_memory n) started (pair_by_pair n k p).
Proof.
  intros Hn. assert (HM : 1 <= alternating_memory n) by (unfold alternating_memory; nia).
  induction k as [|k IH]; intros p started Hp Hvalid Hfits Hdone Hhead; cbn [pair_by_pair]; [exact I|].
  set (a := Attempt (long_request n) p). set (b := Attempt (wide_request n) (p + (2 * n - 1))).
  assert (Ha : valid a).
  { unfold valid, valid_request, a. cbn [long_request wide_request prompt output release start of]. lia. }
  assert (Hb : valid b).
  { unfold valid, valid_request, b. cbn [long_request wide_request prompt output release start of]. lia. }
  assert (Hfa : fits (alternating_memory n) (a :: started)).
  { apply fits_after; auto; [|lia]. unfold request_peak, long_request, alternating_memory.
    cbn [long_request wide_request prompt output release start of]. nia. }
  assert (Hdone' : forall z, In z (a :: started) -> completion z <= p + (2 * n - 1)).
  { intros z [<-|Hz]; [unfold completion; cbn [a b long_request wide_request output start of]; lia|]. specialize (Hdone z Hz). lia. }
  assert (Hfb : fits (alternating_memory n) (b :: a :: started)).
  { apply fits_after; auto; [|lia]. unfold request_peak, wide_request.
    cbn [long_request wide_request prompt output release start of]. lia. }
  cbn [in_turn]. split; [split; [|split; [exact Hfa|]]|split; [split; [|split; [exact Hfb|]]|]].
  - destruct Hhead as [[-> ->]|(rest & ->)]; cbn; lia.
  - intros t Ht Hf. cbn [start a] in Ht. destruct Hhead as [[-> ->]|(rest & ->)]; cbn [last_start start] in Ht; [lia|].
    assert (t = p - 1) as -> by lia. specialize (Hf (p - 1 + 1)). unfold memory in Hf. cbn [total] in Hf.
    rewrite wide_fills in Hf by exact Hn.
    assert (1 <= use (Attempt (of a) (p - 1)) (p - 1 + 1)).
    { apply use_running; [apply Ha|]. unfold runs, completion, a. cbn [long_request wide_request prompt output release start of]. lia. }
    inversion Hvalid as [|? ? _ Hrest]. subst. pose proof (memory_nonneg rest (p - 1 + 1) Hrest) as H0.
    unfold memory in H0. lia.
  - cbn [a b start last_start]. lia.
  - intros t Ht Hf. cbn [start a b last_start] in Ht. specialize (Hf (t + 1)). unfold memory in Hf. cbn [total] in Hf.
    change (of b) with (wide_request n) in Hf. rewrite wide_fills in Hf by exact Hn.
    assert (1 <= use a (t + 1)).
    { apply use_running; [apply Ha|]. unfold runs, completion, a, long_request. cbn [start of output]. lia. }
    pose proof (memory_nonneg started (t + 1) Hvalid) as H0. unfold memory in H0. lia.
  - apply IH; [lia|auto|exact Hfb| |].
    + intros z [<-|Hz]; [unfold completion; cbn [a b long_request wide_request output start of]; lia|]. specialize (Hdone' z Hz). lia.
    + right. exists (a :: started). unfold b. do 2 f_equal. lia.
Qed.

Lemma wide_first_memory n : 1 <= n -> forall k p r,
  memory (wide_first n k p) r =
  (if (p <? r) && (r <=? p + Z.of_nat k) then alternating_memory n else 0)
  + Z.of_nat k * use (Attempt (long_request n) n) r.
Proof.
  intros Hn. unfold memory. induction k as [|k IH]; intros p r; cbn [wide_first total].
  - change (Z.of_nat 0) with 0. destruct (p <? r) eqn:E1, (r <=? p + 0) eqn:E2; cbn [andb]; lia.
  - rewrite IH.
    assert (E : use (Attempt (wide_request n) p) r = if r =? p + 1 then alternating_memory n else 0).
    { destruct (Z.eqb_spec r (p + 1)) as [->|H]; [apply wide_fills, Hn|].
      unfold use, completion. cbn [start of wide_request output prompt].
      destruct (p <? r) eqn:E1, (r <=? p + 1) eqn:E2; cbn [andb]; lia. }
    rewrite E. rewrite Nat2Z.inj_succ, <- Z.add_1_r.
    destruct (Z.eqb_spec r (p + 1)) as [H|H]; destruct (p <? r) eqn:E1, (p + 1 <? r) eqn:E2,
      (r <=? p + (Z.of_nat k + 1)) eqn:E3, (r <=? p + 1 + Z.of_nat k) eqn:E4; cbn [andb]; lia.
Qed.

Lemma wide_first_valid n : 1 <= n -> forall k p, 0 <= p -> Forall valid (wide_first n k p).
Proof.
  intros Hn. assert (1 <= alternating_memory n) by (unfold alternating_memory; nia).
  induction k as [|k IH]; intros p Hp; cbn [wide_first]; [constructor|].
  constructor; [|constructor; [|apply IH; lia]]; unfold valid, valid_request, long_request, wide_request;
    cbn [prompt output release start of]; lia.
Qed.

Lemma wide_first_schedule n : (1 <= n)%nat ->
  schedule (alternating_memory (Z.of_nat n)) (alternating n) (wide_first (Z.of_nat n) n 0).
Proof.
  intros Hn. set (z := Z.of_nat n). assert (Hz : 1 <= z) by (unfold z; lia). split; [apply wide_first_of|].
  split; [apply wide_first_valid; lia|]. intros r. rewrite wide_first_memory by exact Hz. fold z.
  unfold use, completion, long_request, alternating_memory. cbn [start of output prompt].
  destruct (z <? r) eqn:E1; cbn [andb].
  - replace (r <=? 0 + z) with false by lia. rewrite andb_false_r.
    destruct (r <=? z + (2 * z - 1)) eqn:E2; nia.
  - destruct (_ && _); nia.
Qed.

Lemma pair_by_pair_cost n : forall k p,
  completions (pair_by_pair n k p) = Z.of_nat k * (2 * p + 2 * (2 * n - 1) + 1 + 2 * n * (Z.of_nat k - 1)).
Proof.
  unfold completions. induction k as [|k IH]; intros p; cbn [pair_by_pair total]; [reflexivity|].
  rewrite IH, Nat2Z.inj_succ. unfold completion. cbn [start of output long_request wide_request]. nia.
Qed.

Lemma wide_first_cost n : forall k p,
  2 * completions (wide_first n k p) =
  Z.of_nat k * (2 * (3 * n - 1) + 2 * p + 1 + Z.of_nat k).
Proof.
  unfold completions. induction k as [|k IH]; intros p; cbn [wide_first total]; [reflexivity|].
  rewrite !Z.mul_add_distr_l, IH, Nat2Z.inj_succ. unfold completion.
  cbn [start of output long_request wide_request]. nia.
Qed.

(* Theorem 2 of mixed_prompts.md.  SVF has one schedule of this instance, and another one exists
   such that SVF costs more than 4 n / 7 times as much, which is more than 0.4 sqrt(M). *)
Theorem svf_family n :
  (1 <= n)%nat ->
  let z := Z.of_nat n in
  let M := alternating_memory z in
  exists other, schedule M (alternating n) other /\
  (exists l, svf M (alternating n) l) /\
  forall l, svf M (alternating n) l ->
    schedule M (alternating n) l /\
    4 * z * cost other < 7 * cost l /\ 16 * M * (cost other * cost other) < 100 * (cost l * cost l).
Proof.
  intros Hn z M. assert (Hz : 1 <= z) by (unfold z; lia).
  assert (Hrel : at_once (alternating n)) by (intros q Hq; apply (alternating_request z q n Hz Hq)).
  exists (wide_first z n 0). pose proof (wide_first_schedule n Hn) as Hother. fold z M in Hother.
  split; [exact Hother|].
  assert (Hl0 : svf M (alternating n) (pair_by_pair z n 0)).
  { split; [apply pair_by_pair_of|]. split; [apply alternating_in_order, Hz|].
    apply pair_by_pair_in_turn; auto; [lia| |intros b []].
    intros r. unfold memory. cbn. unfold alternating_memory. nia. }
  split; [exists (pair_by_pair z n 0); exact Hl0|]. intros l Hl.
  assert (l = pair_by_pair z n 0) as ->.
  { destruct Hl as (E & _ & Ht), Hl0 as (E0 & _ & Ht0).
    apply (in_turn_unique M l _ []); [congruence|exact Ht|exact Ht0]. }
  assert (Hsch : schedule M (alternating n) (pair_by_pair z n 0)).
  { rewrite <- (proj1 Hl0). apply in_turn_schedule.
    - unfold M, alternating_memory. nia.
    - intros a Ha. apply (in_map of) in Ha. rewrite (proj1 Hl0) in Ha.
      apply (alternating_request z _ n Hz Ha).
    - rewrite (proj1 Hl0). exact Hrel.
    - apply Hl0. }
  split; [exact Hsch|].
  rewrite (cost_at_once M _ _ Hsch Hrel), (cost_at_once M _ _ Hother Hrel).
  pose proof (pair_by_pair_cost z n 0) as H1. pose proof (wide_first_cost z n 0) as H2. fold z in H1, H2.
  set (c := completions (pair_by_pair z n 0)) in *. set (d := completions (wide_first z n 0)) in *.
  assert (Hc : c = z * (2 * z * z + 2 * z - 1)) by (rewrite H1; ring).
  assert (Hd : 2 * d = z * (7 * z - 1)) by (rewrite H2; ring).
  assert (Hlt : 4 * z * d < 7 * c) by nia. split; [exact Hlt|].
  (* 16 M d^2 < 100 c^2, as M < 2 n^2 and 16 * 2 * 49 / 16 = 98 *)
  assert (Hd0 : 0 < d) by nia.
  assert (Hsq : 16 * (z * z) * (d * d) < 49 * (c * c)).
  { replace (16 * (z * z) * (d * d)) with ((4 * z * d) * (4 * z * d)) by ring.
    replace (49 * (c * c)) with ((7 * c) * (7 * c)) by ring. apply Z.mul_lt_mono_nonneg; nia. }
  assert (HM : M <= 2 * (z * z)) by (unfold M, alternating_memory; nia).
  assert (M * (d * d) <= 2 * (z * z) * (d * d)) by (apply Z.mul_le_mono_nonneg_r; nia). nia.
Qed.

(* So no constant is enough. *)
Theorem svf_unbounded (c : Z) :
  exists M requests l other,
    at_once requests /\ svf M requests l /\ schedule M requests l /\ schedule M requests other /\
    c * cost other < cost l.
Proof.
  set (n := Z.to_nat (Z.max 1 (2 * c))). assert (Hn : (1 <= n)%nat) by (unfold n; lia).
  destruct (svf_family n Hn) as (other & Hother & (l & Hl) & H). destruct (H l Hl) as (Hsch & Hlt & _).
  assert (Hrel : at_once (alternating n)).
  { intros q Hq. apply (alternating_request (Z.of_nat n) q n); [lia|exact Hq]. }
  exists (alternating_memory (Z.of_nat n)), (alternating n), l, other. repeat (split; [assumption|]).
  assert (H0 : 0 <= cost other).
  { rewrite (cost_at_once _ _ _ Hother Hrel). apply (cost_nonneg _ _ _ Hother). }
  assert (2 * c <= Z.of_nat n) by (unfold n; lia).
  assert (8 * c * cost other <= 7 * cost l); [nia|].
  destruct (Z.le_gt_cases c 0); [|nia].
  assert (0 <= cost l); [|nia]. rewrite (cost_at_once _ _ _ Hsch Hrel). apply (cost_nonneg _ _ _ Hsch).
Qed.

(* n = 2 as an example: M = 6, SVF costs 22, 13 is possible; computed. *)
Example alternating_two :
  (map (fun a => (prompt (of a), output (of a), start a)) (start_in_turn 6 [] (alternating 2)),
   completions (start_in_turn 6 [] (alternating 2)), completions (wide_first 2 2 0))
  = ([(0, 3, 0); (5, 1, 3); (0, 3, 4); (5, 1, 7)], 22, 13).
Proof. vm_compute. reflexivity. Qed.
