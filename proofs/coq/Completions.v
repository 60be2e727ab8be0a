(* Rounds in which something completes are enough: Lemma 3 of model.md. *)

From Coq Require Import ZArith List Lia Bool.
From Kvopt Require Import Model Sums Staircase.
Import ListNotations.
Open Scope Z_scope.

Definition runs (a : attempt) (r : Z) : bool := (start a <? r) && (r <=? completion a).

(* From a round to the first completion of what runs in it, memory only grows. *)
Lemma until_completion l r : Forall valid l ->
  (exists a, In a l /\ runs a r = true) ->
  exists x, In x l /\ runs x r = true /\
    (forall a, In a l -> runs a r = true -> completion x <= completion a) /\
    memory l r <= memory l (completion x).
Proof.
  intros Hvalid (a0 & Ha0 & Hr0). rewrite Forall_forall in Hvalid.
  destruct (first_to_complete (filter (fun a => runs a r) l)) as (x & Hx & Hfirst).
  { intros E. assert (H : In a0 (filter (fun a => runs a r) l)) by (apply filter_In; auto).
    rewrite E in H. destruct H. }
  apply filter_In in Hx as [Hx Hxr]. exists x.
  assert (Hf : forall a, In a l -> runs a r = true -> completion x <= completion a).
  { intros a Ha Hr. apply Hfirst. apply filter_In. auto. }
  repeat split; auto. apply total_le. intros a Ha.
  pose proof (use_nonneg a (completion x) (Hvalid a Ha)).
  unfold use in *. fold (runs a r). destruct (runs a r) eqn:E; [|assumption].
  specialize (Hf a Ha E). unfold runs in E, Hxr.
  replace (start a <? completion x) with true by lia.
  replace (completion x <=? completion a) with true by lia. simpl. lia.
Qed.

Lemma idle_memory l r : (forall a, In a l -> runs a r = false) -> memory l r = 0.
Proof.
  intros H. unfold memory. rewrite (total_ext _ (fun _ => 0)).
  - rewrite total_const. lia.
  - intros a Ha. unfold use. fold (runs a r). rewrite (H a Ha). reflexivity.
Qed.

Lemma some_run l r :
  (exists a, In a l /\ runs a r = true) \/ (forall a, In a l -> runs a r = false).
Proof.
  induction l as [|b l [(a & Ha & Hr)|IH]]; [right; intros a []|left; exists a; simpl; auto|].
  destruct (runs b r) eqn:E; [left; exists b; simpl; auto|].
  right. intros a [<-|Ha]; auto.
Qed.

(* Lemma 3 of model.md: if l fits, then l with one more attempt a fits if and only if the
   memory is at most M in each of the rounds of a in which some attempt completes. *)
Theorem completions_enough M l a :
  Forall valid (a :: l) -> fits M l ->
  fits M (a :: l) <->
  (forall b, In b (a :: l) -> start a < completion b <= completion a ->
    memory (a :: l) (completion b) <= M).
Proof.
  intros Hvalid Hl. split; [intros H b _ _; apply H|]. intros H r.
  destruct (runs a r) eqn:E.
  - destruct (until_completion (a :: l) r Hvalid) as (x & Hx & Hxr & Hfirst & Hle).
    { exists a. simpl. auto. }
    eapply Z.le_trans; [exact Hle|]. apply H; [exact Hx|].
    specialize (Hfirst a (or_introl eq_refl) E). unfold runs in *. lia.
  - unfold memory. simpl. unfold use at 1. fold (runs a r). rewrite E. apply Hl.
Qed.

(* So a list of attempts can be checked in finitely many rounds. *)
Definition fits_check (M : Z) (l : list attempt) : bool :=
  forallb (fun a => memory l (completion a) <=? M) l.

Theorem fits_check_sound M l :
  0 <= M -> Forall valid l -> fits_check M l = true <-> fits M l.
Proof.
  intros HM Hvalid. unfold fits_check. rewrite forallb_forall. split.
  - intros H r. destruct (some_run l r) as [Hrun|Hidle].
    + destruct (until_completion l r Hvalid Hrun) as (x & Hx & _ & _ & Hle).
      specialize (H x Hx). lia.
    + rewrite idle_memory by exact Hidle. exact HM.
  - intros H a _. apply Z.leb_le, H.
Qed.
