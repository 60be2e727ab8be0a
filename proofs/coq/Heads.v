(* Least starts that gaps ask for, for the rule "event-order": Lemma 5 of event_order.md. *)

From Coq Require Import ZArith List Lia Bool FMapPositive.
From Kvopt Require Import StartRows.
Import ListNotations.
Open Scope Z_scope.

(* Gaps p_b - p_a >= d are kept as a list of (b, d) for each a.  Heads are no more than the starts. *)

(* Raise the heads of all b of gaps from a request with the head h_a; `next` are those that were
   raised.  If `first` is raised again, there is no solution. *)
Fixpoint follow_gaps (first : positive) (h_a : Z) (from : list (positive * Z)) (h : PositiveMap.t Z)
    (next : list positive) : option (PositiveMap.t Z * list positive) :=
  match from with
  | [] => Some (h, next)
  | (b, d) :: rest =>
      if look 0 b h <? h_a + d then
        if Pos.eqb b first then None
        else follow_gaps first h_a rest (PositiveMap.add b (h_a + d) h)
               (if existsb (Pos.eqb b) next then next else b :: next)
      else follow_gaps first h_a rest h next
  end.

Fixpoint follow_all (first : positive) (g : PositiveMap.t (list (positive * Z))) (raised : list positive)
    (h : PositiveMap.t Z) (next : list positive) : option (PositiveMap.t Z * list positive) :=
  match raised with
  | [] => Some (h, next)
  | a :: rest =>
      match follow_gaps first (look 0 a h) (look [] a g) h next with
      | Some (h', next') => follow_all first g rest h' next'
      | None => None
      end
  end.

(* After as many rounds as there are requests nothing is left to be raised. *)
Fixpoint settle (rounds : nat) (first : positive) (g : PositiveMap.t (list (positive * Z)))
    (raised : list positive) (h : PositiveMap.t Z) : option (PositiveMap.t Z) :=
  match rounds, raised with
  | S rounds', _ :: _ =>
      match follow_all first g raised h [] with
      | Some (h', next) => settle rounds' first g next h'
      | None => None
      end
  | _, _ => Some h
  end.

Definition raise_head (rounds : nat) (g : PositiveMap.t (list (positive * Z))) (i : positive) (x : Z)
    (heads : option (PositiveMap.t Z)) : option (PositiveMap.t Z) :=
  match heads with
  | Some h => if look 0 i h <? x then settle rounds i g [i] (PositiveMap.add i x h) else Some h
  | None => None
  end.

(* --- Proofs ------------------------------------------------------------------------------ *)

Definition gaps_hold (p : positive -> Z) (g : PositiveMap.t (list (positive * Z))) : Prop :=
  forall a b d, In (b, d) (look [] a g) -> d <= p b - p a.

(* Heads that were raised since `first` was are as far from the starts as its head is, or farther. *)
Definition far_enough (p : positive -> Z) (slack : Z) (h : PositiveMap.t Z) (i : positive) : Prop :=
  look 0 i h <= p i - slack.
Definition keeps_far (p : positive -> Z) (slack : Z) (h h' : PositiveMap.t Z) : Prop :=
  (forall i, look 0 i h <= p i -> look 0 i h' <= p i) /\ (forall i, far_enough p slack h i -> far_enough p slack h' i).

Lemma follow_gaps_spec p slack first h_a a from : 0 <= slack -> h_a <= p a - slack ->
  (forall b d, In (b, d) from -> d <= p b - p a) ->
  forall h next, look 0 first h = p first - slack -> (forall i, In i next -> far_enough p slack h i) ->
  match follow_gaps first h_a from h next with
  | Some (h', next') =>
      keeps_far p slack h h' /\ look 0 first h' = p first - slack /\ (forall i, In i next' -> far_enough p slack h' i)
  | None => False
  end.
Proof.
  intros Hslack Ha. induction from as [|[b d] from IH]; intros Hfrom h next Hfirst Hnext; cbn [follow_gaps].
  - split; [split; auto|auto].
  - pose proof (Hfrom b d (or_introl eq_refl)) as Hd.
    specialize (IH (fun b' d' Hin => Hfrom b' d' (or_intror Hin))).
    destruct (Z.ltb_spec (look 0 b h) (h_a + d)) as [Hlt|Hge]; [|apply IH; assumption].
    destruct (Pos.eqb_spec b first) as [->|Hne]; [lia|].
    set (h1 := PositiveMap.add b (h_a + d) h).
    assert (Hkeeps : keeps_far p slack h h1).
    { split; intros i Hi; unfold far_enough, h1 in *; destruct (Pos.eq_dec i b) as [->|Hi'];
        [rewrite look_same; lia|rewrite look_other; assumption|rewrite look_same; lia|rewrite look_other; assumption]. }
    set (next1 := if existsb _ next then next else b :: next).
    specialize (IH h1 next1).
    destruct (follow_gaps first h_a from h1 next1) as [[h' next']|].
    + destruct IH as (H1 & H2 & H3).
      * unfold h1. rewrite look_other by congruence. exact Hfirst.
      * assert (Hb : far_enough p slack h1 b) by (unfold far_enough, h1; rewrite look_same; lia).
        unfold next1. intros i Hi. destruct (existsb _ next); [|destruct Hi as [<-|Hi]; [exact Hb|]];
          apply Hkeeps, Hnext, Hi.
      * split; [|auto]. destruct Hkeeps as [K1 K2], H1 as [K3 K4]. split; auto.
    + apply IH.
      * unfold h1. rewrite look_other by congruence. exact Hfirst.
      * assert (Hb : far_enough p slack h1 b) by (unfold far_enough, h1; rewrite look_same; lia).
        unfold next1. intros i Hi. destruct (existsb _ next); [|destruct Hi as [<-|Hi]; [exact Hb|]];
          apply Hkeeps, Hnext, Hi.
Qed.

Lemma follow_all_spec p slack first g raised : 0 <= slack -> gaps_hold p g ->
  forall h next, look 0 first h = p first - slack ->
  (forall i, In i raised -> far_enough p slack h i) -> (forall i, In i next -> far_enough p slack h i) ->
  match follow_all first g raised h next with
  | Some (h', next') =>
      keeps_far p slack h h' /\ look 0 first h' = p first - slack /\ (forall i, In i next' -> far_enough p slack h' i)
  | None => False
  end.
Proof.
  intros Hslack Hg. induction raised as [|a raised IH]; intros h next Hfirst Hraised Hnext; cbn [follow_all].
  - split; [split; auto|auto].
  - pose proof (follow_gaps_spec p slack first (look 0 a h) a (look [] a g) Hslack (Hraised a (or_introl eq_refl))
      (Hg a) h next Hfirst Hnext) as H.
    destruct (follow_gaps _ _ _ h next) as [[h1 next1]|]; [|exact H]. destruct H as ([K1 K2] & H2 & H3).
    specialize (IH h1 next1 H2 (fun i Hi => K2 i (Hraised i (or_intror Hi))) H3).
    destruct (follow_all first g raised h1 next1) as [[h' next']|]; [|exact IH].
    destruct IH as ([K3 K4] & H5 & H6). split; [split; auto|auto].
Qed.

Lemma settle_spec p slack first g rounds : 0 <= slack -> gaps_hold p g ->
  forall raised h, look 0 first h = p first - slack -> (forall i, In i raised -> far_enough p slack h i) ->
  match settle rounds first g raised h with
  | Some h' => keeps_far p slack h h'
  | None => False
  end.
Proof.
  intros Hslack Hg. induction rounds as [|rounds IH]; intros raised h Hfirst Hraised; cbn [settle]; [split; auto|].
  destruct raised as [|a raised]; [split; auto|].
  pose proof (follow_all_spec p slack first g (a :: raised) Hslack Hg h [] Hfirst Hraised (fun i Hi => match Hi with end)) as H.
  destruct (follow_all first g (a :: raised) h []) as [[h1 next]|]; [|exact H].
  destruct H as ([K1 K2] & H2 & H3). specialize (IH next h1 H2 H3).
  destruct (settle rounds first g next h1) as [h'|]; [|exact IH]. destruct IH as [K3 K4]. split; auto.
Qed.

Definition heads_hold (p : positive -> Z) (heads : option (PositiveMap.t Z)) : Prop :=
  match heads with Some h => forall i, look 0 i h <= p i | None => False end.

(* Lemma 5 of event_order.md: whatever follows from heads and gaps that hold, holds; and where a
   head is raised by itself, there are no such starts. *)
Lemma raise_head_holds p rounds g i x heads : gaps_hold p g -> heads_hold p heads -> x <= p i ->
  heads_hold p (raise_head rounds g i x heads).
Proof.
  intros Hg Hheads Hx. destruct heads as [h|]; [|exact Hheads]. cbn [raise_head heads_hold] in *.
  destruct (look 0 i h <? x); [|exact Hheads]. set (h1 := PositiveMap.add i x h).
  assert (Hh1 : forall k, look 0 k h1 <= p k).
  { intros k. unfold h1. destruct (Pos.eq_dec k i) as [->|Hne]; [rewrite look_same; exact Hx|].
    rewrite look_other by exact Hne. apply Hheads. }
  pose proof (settle_spec p (p i - x) i g rounds ltac:(lia) Hg [i] h1) as H.
  assert (Hi : look 0 i h1 = p i - (p i - x)) by (unfold h1; rewrite look_same; lia).
  destruct (settle rounds i g [i] h1) as [h'|].
  - intros k. apply H; [exact Hi| |apply Hh1]. intros k' [<-|[]]. unfold far_enough. lia.
  - apply H; [exact Hi|]. intros k' [<-|[]]. unfold far_enough. lia.
Qed.
