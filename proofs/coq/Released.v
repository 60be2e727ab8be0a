(* Duals of the demands with releases: each prompt, output and release has one (release_times.md, theorems 5
   and 6).  The price at a time is the largest dual of those of one prompt and output that are released. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import Model Sums Staircase Prices Types Keys.
Import ListNotations.
Open Scope Z_scope.

(* (release, dual) of each prompt and output. *)
Definition steps_map := KeyMap.t (list (Z * Z)).
Definition steps_of (S : steps_map) (q : request) : list (Z * Z) :=
  match KeyMap.find [prompt q; output q] S with Some steps => steps | None => [] end.
Definition price_steps (duals : list (request * Z)) : steps_map :=
  fold_right (fun x S => KeyMap.add [prompt (fst x); output (fst x)]
    ((release (fst x), snd x) :: steps_of S (fst x)) S) (KeyMap.empty _) duals.

Definition best_by (t : Z) (steps : list (Z * Z)) : option Z :=
  fold_right (fun x best =>
    if fst x <=? t then Some (match best with Some y => Z.max y (snd x) | None => snd x end) else best)
    None steps.

(* A dual for each type, in their order. *)
Definition of_types (types duals : list (request * Z)) : bool :=
  (length types =? length duals)%nat
  && forallb (fun x => same (fst (fst x)) (fst (snd x)) && (release (fst (fst x)) =? release (fst (snd x))))
       (combine types duals).

Definition duals_value (types duals : list (request * Z)) : Z :=
  total (fun x => snd (fst x) * snd (snd x)) (combine types duals).

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma price_steps_spec duals q w : In (q, w) duals -> In (release q, w) (steps_of (price_steps duals) q).
Proof.
  induction duals as [|[q' w'] duals IH]; intros Hin; [destruct Hin|].
  cbn [price_steps fold_right fst snd]. fold (price_steps duals). unfold steps_of at 1.
  rewrite KeyFacts.add_o. destruct (KeyFacts.eq_dec _ _) as [E|E].
  - destruct Hin as [Hin|Hin]; [inversion Hin; left; reflexivity|right].
    inversion E as [[E1 E2]]. unfold steps_of in *. rewrite E1, E2. apply IH, Hin.
  - destruct Hin as [Hin|Hin]; [inversion Hin; subst; exfalso; apply E; reflexivity|].
    apply IH, Hin.
Qed.

Lemma best_by_in t steps y : best_by t steps = Some y -> exists x, In x steps /\ snd x = y /\ fst x <= t.
Proof.
  revert y. induction steps as [|x steps IH]; intros y H; cbn [best_by fold_right] in H; [discriminate|].
  fold (best_by t steps) in H. destruct (Z.leb_spec (fst x) t) as [Hx|Hx].
  - destruct (best_by t steps) as [y'|] eqn:E; inversion H.
    + destruct (IH y' eq_refl) as (x' & Hx1 & Hx2 & Hx3). destruct (Z.max_spec y' (snd x)) as [[_ ->]|[_ ->]].
      * exists x. simpl. auto.
      * exists x'. simpl. auto.
    + exists x. simpl. auto.
  - destruct (IH y H) as (x' & Hx1 & Hx2 & Hx3). exists x'. simpl. auto.
Qed.

Lemma best_by_ge t steps r w : In (r, w) steps -> r <= t -> exists y, best_by t steps = Some y /\ w <= y.
Proof.
  induction steps as [|x steps IH]; intros Hin Ht; [destruct Hin|]. cbn [best_by fold_right].
  fold (best_by t steps). destruct Hin as [->|Hin].
  - cbn [fst snd]. replace (r <=? t) with true by lia. destruct (best_by t steps); eexists; split; try reflexivity; lia.
  - destruct (IH Hin Ht) as (y & -> & Hy). destruct (fst x <=? t); eexists; split; try reflexivity; lia.
Qed.

(* The duals of all are no more than what they get, wherever each gets its own. *)
Lemma duals_below types : forall duals (gets : attempt -> Z) k,
  of_types types duals = true -> map of k = expand types -> (forall x, In x types -> 0 <= snd x) ->
  (forall a w, In a k -> In (of a, w) duals -> w <= gets a) ->
  duals_value types duals <= total gets k.
Proof.
  unfold of_types, duals_value. induction types as [|[q n] types IH]; intros [|[q' w] duals] gets k Hok Hk Hn Hgets;
    cbn [length combine total forallb Nat.eqb] in *; try discriminate.
  - destruct k; [cbn; lia|discriminate].
  - apply andb_true_iff in Hok as [Hlen Hok]. apply andb_true_iff in Hok as [Hq Hok]. cbn [fst snd] in *.
    assert (q' = q) as -> by (unfold same in Hq; destruct q as [s o a], q' as [s' o' a']; cbn [prompt output release] in Hq; f_equal; lia).
    cbn [expand flat_map fst snd] in Hk. fold (expand types) in Hk. apply map_eq_app in Hk as (k1 & k2 & -> & Hk1 & Hk2).
    rewrite total_app. apply Z.add_le_mono.
    + assert (Hlen1 : n = Z.of_nat (length k1)).
      { apply (f_equal (@length request)) in Hk1. rewrite map_length, repeat_length in Hk1.
        specialize (Hn (q, n) (or_introl eq_refl)). cbn [snd] in Hn. lia. }
      rewrite Hlen1, Z.mul_comm, <- (total_const w k1). apply total_le. intros a Ha.
      apply Hgets; [apply in_or_app; left; exact Ha|left]. f_equal.
      apply (in_map of) in Ha. rewrite Hk1 in Ha. apply repeat_spec in Ha. symmetry. exact Ha.
    + apply IH; [rewrite Hlen, Hok; reflexivity|exact Hk2|intros x Hx; apply Hn; right; exact Hx|].
      intros a w' Ha Hw. apply Hgets; [apply in_or_app; right; exact Ha|right; exact Hw].
Qed.

(* Every type has a dual. *)
Lemma has_dual types : forall duals q n, of_types types duals = true -> In (q, n) types -> exists w, In (q, w) duals.
Proof.
  unfold of_types. induction types as [|[q n] types IH]; intros [|[q' w] duals] q0 n0 Hok Hin;
    cbn [length combine forallb Nat.eqb] in *; try discriminate; [destruct Hin|].
  apply andb_true_iff in Hok as [Hlen Hok]. apply andb_true_iff in Hok as [Hq Hok]. cbn [fst snd] in *.
  assert (q' = q) as -> by (unfold same in Hq; destruct q as [s o a], q' as [s' o' a']; cbn [prompt output release] in Hq; f_equal; lia).
  destruct Hin as [Hin|Hin]; [inversion Hin; exists w; left; congruence|].
  destruct (IH duals q0 n0) as (w' & Hw'); [rewrite Hlen, Hok; reflexivity|exact Hin|]. exists w'. right. exact Hw'.
Qed.
