(* A search through time over what has started, for the rule "dominance" (lemma 8 and theorem 9 of release_times.md).

   A spot is what a search knows of a schedule at a time: the sum of the starts so far, who has yet to start, by release,
   and the runs that go on.  What can follow from it are starts of those who have yet to start.  If something can follow at a
   small cost, then it can from one of the next spots, and from those that are kept of them. *)

From Coq Require Import ZArith List Lia Bool Permutation FMapPositive.
From Kvopt Require Import Model Sums Staircase Completions Prices Paths Types Keys Vectors Exhaustive BatchGraph.
Import ListNotations.
Open Scope Z_scope.

(* --- Spots ------------------------------------------------------------------------------- *)

(* A request, and its dual in each of the sets. *)
Record item := Item { who : request; worths : vector Z }.
Definition run : Type := attempt * vector Z.

(* The sum of the starts; of each shape those who have yet to start; the memory that runs use in coming rounds, and
   the runs. *)
Record spot := Spot { begun : Z; queues : list (list item); taken : list Z; active : list run }.

(* A choice of starts at a time: for shapes of which some start who is left of them, the last one first. *)
Definition queue_changes : Type := list (Z * list item).
Record partly := Partly { done : queue_changes; used : list Z; news : list run }.

(* One, two, ... more of shape number n start, as long as they are released and fit. *)
Fixpoint begin_some (M t n : Z) (s : list Z) (done : queue_changes) (used : list Z) (news : list run) (Q : list item) : list partly :=
  match Q with
  | [] => []
  | x :: Q' =>
      if release (who x) <=? t then
        let used' := add used s in
        if small M used' then
          let news' := (Attempt (who x) t, worths x) :: news in
          Partly ((n, Q') :: done) used' news' :: begin_some M t n s done used' news' Q'
        else []
      else []
  end.
Definition nobody_ready (t : Z) (Q : list item) : bool :=
  match Q with x :: _ => t <? release (who x) | [] => true end.

(* Choices for the shapes so far, the last one first; then those for one more. *)
Definition extended (M t n : Z) (s : list Z) (Q : list item) (found : list partly) : list partly :=
  if nobody_ready t Q then found
  else fold_left (fun all y => rev_append (begin_some M t n s (done y) (used y) (news y) Q) all) (rev' found) found.
Fixpoint choose (M t n : Z) (shapes : list (list Z)) (Qs : list (list item)) (found : list partly) : list partly :=
  match shapes, Qs with
  | s :: shapes', Q :: Qs' => choose M t (n + 1) shapes' Qs' (extended M t n s Q found)
  | _, _ => found
  end.

(* The queues from number i on after changes, the first one first. *)
Fixpoint changed_queues (i : Z) (Qs : list (list item)) (l : queue_changes) : list (list item) :=
  match l, Qs with
  | [], _ => Qs
  | _, [] => []
  | (n, Q') :: l', Q :: Qs' => if i =? n then Q' :: changed_queues (i + 1) Qs' l' else Q :: changed_queues (i + 1) Qs' l
  end.

(* The spot one round later. *)
Definition followed (t : Z) (x : spot) (y : partly) : spot :=
  Spot (begun x + t * Z.of_nat (length (news y))) (changed_queues 0 (queues x) (rev' (done y))) (tl (used y))
    (filter (fun a => t + 1 <? completion (fst a)) (news y ++ active x)).
Definition idle_choice (A t : Z) (y : partly) : bool := (A <=? t) && is_nil (used y).

(* --- Which spots another one makes superfluous ------------------------------------------- *)

Definition ready_of (t : Z) (Q : list item) : Z := total (fun x => if release (who x) <=? t then 1 else 0) Q.

(* Of each shape how many wait of its prompt and at least its output; shapes of one prompt are together, the longest first. *)
Fixpoint waiting_fields (t last sum : Z) (qs : list request) (Qs : list (list item)) : list Z :=
  match qs, Qs with
  | q :: qs', Q :: Qs' =>
      let here := (if prompt q =? last then sum else 0) + ready_of t Q in
      here :: waiting_fields t (prompt q) here qs' Qs'
  | _, _ => []
  end.

(* Nowhere larger. *)
Fixpoint nowhere_above (p p' : list Z) : bool :=
  match p, p' with
  | [], _ => true
  | x :: r, y :: r' => (x <=? y) && nowhere_above r r'
  | _, _ => false
  end.

(* What is compared: the sum of starts with all who wait starting now, and the fields, the last one first. *)
Record weighed_spot := Weighed { weight : Z; fields_of : list Z; spot_of : spot }.
Definition fields_at (t : Z) (qs : list request) (x : spot) : list Z := rev' (waiting_fields t (-1) 0 qs (queues x)).
Definition weigh (t : Z) (qs : list request) (x : spot) : weighed_spot :=
  Weighed (begun x + t * total (ready_of t) (queues x)) (fields_at t qs x) x.

(* The order of numbers whose digits these are, the last one the highest. *)
Fixpoint order_back (x y : list Z) : comparison :=
  match x, y with
  | [], [] => Eq
  | [], _ => Lt
  | _, [] => Gt
  | a :: x', b :: y' => match order_back x' y' with Eq => a ?= b | c => c end
  end.

(* By fields and then by weight, or the other way round. *)
Definition then_by (c c' : comparison) : comparison := match c with Eq => c' | _ => c end.
Definition by_profile (x y : weighed_spot) : comparison := order_back (taken (spot_of x)) (taken (spot_of y)).
Definition by_fields (x y : weighed_spot) : bool :=
  match Key.order (fields_of x) (fields_of y) with
  | Lt => true
  | Gt => false
  | Eq =>
      if weight x =? weight y then match by_profile x y with Gt => false | _ => true end
      else weight x <? weight y
  end.
Definition by_weight (x y : weighed_spot) : bool :=
  if weight x =? weight y then
    match Key.order (fields_of x) (fields_of y) with
    | Lt => true
    | Gt => false
    | Eq => match by_profile x y with Gt => false | _ => true end
    end
  else weight x <? weight y.

(* Lists in order become one; they may be long, so these functions call themselves at their end only. *)
Fixpoint merged (le : weighed_spot -> weighed_spot -> bool) (l : list weighed_spot) : list weighed_spot -> list weighed_spot -> list weighed_spot :=
  fix go (l' found : list weighed_spot) : list weighed_spot :=
    match l, l' with
    | [], _ => rev_append found l'
    | _, [] => rev_append found l
    | x :: r, y :: r' => if le x y then merged le r l' (x :: found) else go r' (y :: found)
    end.
Fixpoint merge_pairs (le : weighed_spot -> weighed_spot -> bool) (ls found : list (list weighed_spot)) : list (list weighed_spot) :=
  match ls with
  | a :: b :: rest => merge_pairs le rest (merged le a b [] :: found)
  | [a] => rev' (a :: found)
  | [] => rev' found
  end.
Fixpoint merge_all (le : weighed_spot -> weighed_spot -> bool) (fuel : nat) (ls : list (list weighed_spot)) : list weighed_spot :=
  match ls, fuel with
  | [], _ => []
  | [a], _ => a
  | _, S fuel' => merge_all le fuel' (merge_pairs le ls [])
  | _, O => concat ls
  end.
Definition each_alone (l : list weighed_spot) : list (list weighed_spot) := rev' (fold_left (fun ls x => [x] :: ls) l []).
Definition merge_sorted (le : weighed_spot -> weighed_spot -> bool) (l : list weighed_spot) : list weighed_spot := merge_all le (Z.to_nat 64) (each_alone l).

(* Of those kept, by their fields, the weights and profiles, the lightest first. *)
Definition kept_list : Type := list (Z * list Z).
Fixpoint covered (w : Z) (p : list Z) (l : kept_list) : bool :=
  match l with
  | [] => false
  | y :: rest => if fst y <=? w then nowhere_above (snd y) p || covered w p rest else false
  end.
Definition covers (x : weighed_spot) (under : list kept_list) (own : kept_list) : bool :=
  existsb (fun y => (fst y <=? weight x) && nowhere_above (snd y) (taken (spot_of x))) own
  || existsb (covered (weight x) (taken (spot_of x))) under.

(* Rows in the order of their fields; those with the same ones as the last row, whose fields are `now`, are in `own`, the last one
   first, and `under` has what is kept with fields nowhere larger. *)
Fixpoint keep_rows (l : list weighed_spot) (groups : list (list Z * kept_list)) (now : list Z) (under : list kept_list) (own : kept_list)
    (kept : list weighed_spot) : list weighed_spot :=
  match l with
  | [] => kept
  | x :: rest =>
      let entry := (weight x, taken (spot_of x)) in
      match Key.order now (fields_of x) with
      | Eq =>
          if covers x under own then keep_rows rest groups now under own kept
          else keep_rows rest groups now under (entry :: own) (x :: kept)
      | _ =>
          let groups' := (now, rev' own) :: groups in
          let under' := map snd (filter (fun g => nowhere_above (fst g) (fields_of x)) groups') in
          if covers x under' [] then keep_rows rest groups' (fields_of x) under' [] kept
          else keep_rows rest groups' (fields_of x) under' [entry] (x :: kept)
      end
  end.

Definition needed (t : Z) (qs : list request) (l : list spot) : list spot :=
  let rows := rev' (fold_left (fun found x => weigh t qs x :: found) l []) in
  let kept := rev' (keep_rows (merge_sorted by_fields rows) [] [] [] [] []) in
  rev' (fold_left (fun found x => spot_of x :: found) (merge_sorted by_weight kept) []).

(* --- The search -------------------------------------------------------------------------- *)

Section Search.
  (* The sum of all outputs; the bound; which spots may go on below it, as far as a view at a time tells. *)
  Context {V : Type} (M A outputs low limit : Z) (qs : list request) (view : Z -> V) (hopeful : V -> spot -> bool).
  Let shapes := map shape qs.

  Definition finished (x : spot) : bool := forallb is_nil (queues x).

  (* Whether a schedule that costs less is found, and spots that may go on, the last one first. *)
  Definition look_on (t : Z) (ahead : V) (x : spot) (found : bool * list spot) (y : partly) : bool * list spot :=
    if idle_choice A t y then found
    else
      let x' := followed t x y in
      if finished x' then (fst found || (begun x' + outputs <? low), snd found)
      else if hopeful ahead x' then (fst found, x' :: snd found)
      else found.
  Definition next_spots (t : Z) (l : list spot) : bool * list spot :=
    let ahead := view (t + 1) in
    fold_left (fun found x => fold_left (look_on t ahead x) (rev' (choose M t 0 shapes (queues x) [Partly [] (taken x) []])) found) l (false, []).

  Fixpoint nothing_cheaper (fuel : nat) (t : Z) (l : list spot) (looked_at : Z) : bool :=
    match l, fuel with
    | [], _ => true
    | _, O => false
    | _, S fuel' =>
        let (cheaper, following) := next_spots t l in
        let kept := needed (t + 1) qs (rev' following) in
        let n := looked_at + Z.of_nat (length kept) in
        negb (cheaper || (limit <? n)) && nothing_cheaper fuel' (t + 1) kept n
    end.
End Search.

(* --- Proofs: what may follow ------------------------------------------------------------- *)

(* Of each shape the starts of those who have yet to start. *)
Fixpoint future (qs : list request) (ss : list (list Z)) : list attempt :=
  match qs, ss with q :: qs', s :: ss' => map (Attempt q) s ++ future qs' ss' | _, _ => [] end.

Definition starts_served (t : Z) (Q : list item) (s : list Z) : Prop :=
  Forall2 (fun x p => release (who x) <= p) Q s /\ Forall (fun p => t <= p) s.

Definition still (x : spot) : list attempt := map fst (active x).
Definition may_follow (M t : Z) (qs : list request) (x : spot) (ss : list (list Z)) : Prop :=
  Forall2 (starts_served t) (queues x) ss /\ forall r, t < r -> memory (still x) r + memory (future qs ss) r <= M.
Definition whole_cost (qs : list request) (x : spot) (ss : list (list Z)) : Z := begun x + total start (future qs ss).

Definition coming (t : Z) (Q : list item) : list item := filter (fun x => t <? release (who x)) Q.
Fixpoint rising_queues (Q : list item) : Prop :=
  match Q with x :: rest => (forall y, In y rest -> release (who x) <= release (who y)) /\ rising_queues rest | [] => True end.

Lemma rev_forall2 {A B : Type} (R : A -> B -> Prop) l l' : Forall2 R l l' -> Forall2 R (rev l) (rev l').
Proof.
  induction 1 as [|x y l l' H _ IH]; [constructor|]. cbn [rev]. apply Forall2_app; [exact IH|]. constructor; [exact H|constructor].
Qed.

Lemma weaker_forall2 {A B : Type} (R R' : A -> B -> Prop) l l' : (forall x y, R x y -> R' x y) -> Forall2 R l l' -> Forall2 R' l l'.
Proof. intros H. induction 1; constructor; auto. Qed.

Lemma forall2_same_length {A B : Type} (R : A -> B -> Prop) l l' : Forall2 R l l' -> length l = length l'.
Proof. induction 1; cbn [length]; congruence. Qed.

(* Starts in order; those at a time, and those after it. *)
Fixpoint ascending (s : list Z) : Prop :=
  match s with p :: rest => (forall y, In y rest -> p <= y) /\ ascending rest | [] => True end.
Definition at_once_part (t : Z) (s : list Z) : list Z := filter (fun p => p <=? t) s.
Definition later_part (t : Z) (s : list Z) : list Z := filter (fun p => t <? p) s.

Lemma ascending_parts t s : ascending s -> s = at_once_part t s ++ later_part t s.
Proof.
  unfold at_once_part, later_part. induction s as [|p s IH]; intros H; [reflexivity|]. destruct H as [H1 H2]. specialize (IH H2).
  cbn [filter]. destruct (Z.leb_spec p t), (Z.ltb_spec t p); try lia; cbn [app]; [f_equal; exact IH|].
  assert (E : forall k, (forall y, In y k -> p <= y) -> filter (fun p => p <=? t) k = [] /\ filter (fun p => t <? p) k = k).
  { induction k as [|y k IHk]; intros Hk; [auto|]. cbn [filter]. destruct (IHk (fun z Hz => Hk z (or_intror Hz))) as [E1 E2].
    specialize (Hk y (or_introl eq_refl)). destruct (Z.leb_spec y t), (Z.ltb_spec t y); try lia. rewrite E1, E2. auto. }
  destruct (E s H1) as [-> ->]. reflexivity.
Qed.

Lemma forall2_firsts {A B : Type} (R : A -> B -> Prop) l : forall b b', Forall2 R l (b ++ b') ->
  Forall2 R (firstn (length b) l) b /\ Forall2 R (skipn (length b) l) b' /\ (length b <= length l)%nat.
Proof.
  intros b. revert l. induction b as [|y b IH]; intros l b' H; cbn [length firstn skipn app] in *.
  - split; [constructor|]. split; [exact H|lia].
  - inversion H as [|x ? l' ? Hx Hl]. subst. destruct (IH l' b' Hl) as (H1 & H2 & H3). cbn [length].
    split; [constructor; assumption|]. split; [exact H2|lia].
Qed.

(* What changes make of queues, the last one first. *)
Inductive changed : Z -> list (list item) -> queue_changes -> list (list item) -> Prop :=
  | changed_none : changed 0 [] [] []
  | changed_keep n P l R Q : changed n P l R -> changed (n + 1) (Q :: P) l (Q :: R)
  | changed_one n P l R Q Q' : changed n P l R -> changed (n + 1) (Q :: P) ((n, Q') :: l) (Q' :: R).

Lemma changed_spec n P l R : changed n P l R -> changed_queues 0 (rev P) (rev l) = rev R.
Proof.
  assert (H : changed n P l R -> forall Qs l', match l' with (m, _) :: _ => n <= m | [] => True end ->
      changed_queues 0 (rev P ++ Qs) (rev l ++ l') = rev R ++ changed_queues n Qs l').
  { induction 1 as [|n P l R Q _ IH|n P l R Q Q' _ IH]; intros Qs l' Hl'; [reflexivity| |].
    - cbn [rev]. rewrite <- !app_assoc. cbn [app]. rewrite IH by (destruct l' as [|[m Q'] l']; [exact I|lia]).
      f_equal. destruct l' as [|[m Q'] l']; cbn [changed_queues]; [destruct Qs; reflexivity|].
      destruct (Z.eqb_spec n m); [lia|reflexivity].
    - cbn [rev]. rewrite <- !app_assoc. cbn [app]. rewrite IH by lia. f_equal. cbn [changed_queues]. rewrite Z.eqb_refl. reflexivity. }
  intros Hc. specialize (H Hc [] [] I). rewrite !app_nil_r in H. exact H.
Qed.

Lemma in_extended M t n s Q found z : In z (extended M t n s Q found) <->
  In z found \/ exists y, In y found /\ In z (begin_some M t n s (done y) (used y) (news y) Q).
Proof.
  unfold extended. destruct (nobody_ready t Q) eqn:E.
  - split; [auto|]. intros [H|(y & _ & H)]; [exact H|]. destruct Q as [|x Q]; [destruct H|]. cbn [nobody_ready begin_some] in *.
    destruct (Z.leb_spec (release (who x)) t); [lia|destruct H].
  - assert (H : forall l all, In z (fold_left (fun all y => rev_append (begin_some M t n s (done y) (used y) (news y) Q) all) l all) <->
        In z all \/ exists y, In y l /\ In z (begin_some M t n s (done y) (used y) (news y) Q)).
    { induction l as [|y l IH]; intros all; cbn [fold_left]; [split; [auto|intros [H|(y & [] & _)]; exact H]|].
      rewrite IH, rev_append_rev, in_app_iff, <- in_rev. split.
      - intros [[H|H]|(y' & Hy' & H)]; [right; exists y; split; [left; reflexivity|exact H]|left; exact H|right; exists y'; split; [right; exact Hy'|exact H]].
      - intros [H|(y' & [<-|Hy'] & H)]; [left; right; exact H|left; left; exact H|right; exists y'; split; assumption]. }
    rewrite H. unfold rev'. rewrite <- rev_alt. split; (intros [H'|(y & Hy & H')]; [left; exact H'|right; exists y; split; [|exact H']]); [apply in_rev|apply in_rev in Hy]; [exact Hy|].
    rewrite <- in_rev. apply in_rev. exact Hy.
Qed.

(* Shapes with all requests of each. *)
Definition spec : Type := request * list item.

Section Spots.
  Context (M A : Z) (specs : list spec) (good : item -> Prop).
  Let qs := map fst specs.
  Context (Hqs : forall q, In q qs -> 0 <= prompt q /\ 1 <= output q /\ release q = 0) (HA : 0 <= A).

  Definition right_item (q : request) (x : item) : Prop := at_zero (who x) = q /\ 0 <= release (who x) /\ good x.
  Definition right_queue (t : Z) (s : spec) (Q : list item) : Prop :=
    (forall x, In x Q -> right_item (fst s) x) /\ rising_queues Q /\ coming t Q = coming t (snd s).
  Definition right_run (t : Z) (y : run) : Prop :=
    In (at_zero (of (fst y))) qs /\ 0 <= release (of (fst y)) <= start (fst y) /\ start (fst y) < t < completion (fst y)
    /\ good (Item (of (fst y)) (snd y)).
  Definition right_spot (t : Z) (x : spot) : Prop :=
    Forall2 (right_queue t) specs (queues x) /\ (forall y, In y (active x) -> right_run t y) /\
    forall j, nth j (taken x) 0 = memory (still x) (t + 1 + Z.of_nat j).

  (* A choice for some of the shapes. *)
  Definition right_new (t : Z) (y : run) : Prop :=
    In (at_zero (of (fst y))) qs /\ 0 <= release (of (fst y)) <= t /\ start (fst y) = t /\ good (Item (of (fst y)) (snd y)).
  Definition right_partly (t : Z) (x : spot) (n : Z) (P : list (list item)) (ss : list spec) (y : partly) : Prop :=
    (exists R, changed n P (done y) R /\ Forall2 (right_queue t) ss R) /\ (forall a, In a (news y) -> right_new t a) /\
    forall j, nth j (used y) 0 = memory (map fst (news y) ++ still x) (t + 1 + Z.of_nat j).

  Lemma nth_shape q j : 1 <= output q -> nth j (shape q) 0 = if Z.of_nat j <? output q then prompt q + 1 + Z.of_nat j else 0.
  Proof. intros Ho. unfold shape. rewrite nth_count_on, Z2Nat.id by lia. reflexivity. Qed.

  Lemma use_shape q t j : 0 <= prompt q -> 1 <= output q -> nth j (shape q) 0 = use (Attempt q t) (t + 1 + Z.of_nat j).
  Proof.
    intros Hp Ho. rewrite nth_shape by exact Ho. unfold use, completion. cbn [of start].
    destruct (Z.ltb_spec (Z.of_nat j) (output q)), (Z.ltb_spec t (t + 1 + Z.of_nat j)),
      (Z.leb_spec (t + 1 + Z.of_nat j) (t + output q)); cbn [andb]; lia.
  Qed.

  Lemma use_at_zero q t r : use (Attempt q t) r = use (Attempt (at_zero q) t) r.
  Proof. reflexivity. Qed.

  Lemma right_less t s x Q : right_queue t s (x :: Q) -> release (who x) <= t -> right_queue t s Q.
  Proof.
    intros (H1 & H2 & H3) Hx. split; [|split].
    - intros y Hy. apply H1. right. exact Hy.
    - apply H2.
    - rewrite <- H3. unfold coming. cbn [filter]. replace (t <? release (who x)) with false by lia. reflexivity.
  Qed.

  Lemma begin_right t x n P s ss Q0 : In (fst s) qs -> forall Q done used news,
    right_queue t s Q -> right_partly t x n P ss (Partly done used news) ->
    forall z, In z (begin_some M t n (shape (fst s)) done used news Q) -> right_partly t x (n + 1) (Q0 :: P) (s :: ss) z.
  Proof.
    intros Hs. destruct (Hqs _ Hs) as (Hp & Ho & _).
    induction Q as [|y Q IH]; intros done0 used0 news0 HQ (Hdone & Hnews & Hused) z Hz; [destruct Hz|].
    cbn [begin_some] in Hz. destruct (Z.leb_spec (release (who y)) t) as [Hy|]; [|destruct Hz].
    destruct (small M (add used0 (shape (fst s)))); [|destruct Hz].
    pose proof (right_less _ _ _ _ HQ Hy) as HQ'. destruct (proj1 HQ y (or_introl eq_refl)) as (Hq & Hr & Hg).
    assert (Hnews' : forall a, In a ((Attempt (who y) t, worths y) :: news0) -> right_new t a).
    { intros a [<-|Ha]; [|apply Hnews, Ha]. unfold right_new. cbn [fst snd of start]. rewrite Hq. destruct y as [q w].
      repeat split; auto. }
    assert (Hused' : forall j, nth j (add used0 (shape (fst s))) 0
        = memory (map fst ((Attempt (who y) t, worths y) :: news0) ++ still x) (t + 1 + Z.of_nat j)).
    { intros j. rewrite nth_add. cbn [used news] in Hused. rewrite Hused, (use_shape _ t) by assumption.
      cbn [map app fst]. unfold memory at 2. cbn [total]. rewrite (use_at_zero (who y)), Hq. unfold memory. lia. }
    destruct Hz as [<-|Hz].
    - split; [|split]; cbn [done news used] in *; auto. destruct Hdone as (R & H1 & H2). exists (Q :: R).
      split; constructor; assumption.
    - apply (IH _ _ _ HQ') in Hz; [exact Hz|]. split; [|split]; assumption.
  Qed.

  Lemma choose_right t x : forall ss Qs found n P before, Forall2 (right_queue t) ss Qs -> (forall s, In s ss -> In (fst s) qs) ->
    (forall y, In y found -> right_partly t x n P before y) ->
    forall z, In z (choose M t n (map shape (map fst ss)) Qs found) ->
    right_partly t x (n + Z.of_nat (length Qs)) (rev Qs ++ P) (rev ss ++ before) z.
  Proof.
    intros ss Qs found n P before H. revert found n P before. induction H as [|s Q ss Qs HQ H IH]; intros found n P before Hss Hfound z Hz.
    - cbn [map choose rev app length] in *. rewrite Z.add_0_r. apply Hfound, Hz.
    - cbn [map choose] in Hz. cbn [rev length]. rewrite <- !app_assoc. cbn [app].
      replace (n + Z.of_nat (S (length Qs))) with (n + 1 + Z.of_nat (length Qs)) by lia.
      apply IH with (P := Q :: P) (before := s :: before) in Hz; [exact Hz| |].
      + intros s' Hs'. apply Hss. right. exact Hs'.
      + intros y Hy. apply in_extended in Hy as [Hy|(y0 & Hy0 & Hy)].
        * destruct (Hfound y Hy) as ((R & H1 & H2) & H3 & H4). split; [|split; assumption]. exists (Q :: R). split; constructor; assumption.
        * destruct y0 as [d u k]. cbn [done used news] in Hy.
          apply (begin_right t x n P s before Q (Hss s (or_introl eq_refl)) Q d u k HQ (Hfound _ Hy0) y Hy).
  Qed.

  Lemma first_choice t x : (forall j, nth j (taken x) 0 = memory (still x) (t + 1 + Z.of_nat j)) ->
    forall y, In y [Partly [] (taken x) []] -> right_partly t x 0 [] [] y.
  Proof.
    intros Hp y [<-|[]]. split; [exists []; split; constructor|]. split; [intros a []|]. cbn [used news map app]. exact Hp.
  Qed.

  Lemma memory_ended t (k : list run) r : t < r -> (forall y, In y k -> valid_request (of (fst y))) ->
    memory (map fst (filter (fun a => t <? completion (fst a)) k)) r = memory (map fst k) r.
  Proof.
    intros Hr Hk. unfold memory. induction k as [|y k IH]; [reflexivity|]. cbn [filter map total].
    specialize (IH (fun z Hz => Hk z (or_intror Hz))). destruct (Z.ltb_spec t (completion (fst y))); cbn [map total]; [lia|].
    rewrite IH. unfold use at 2. destruct (Z.leb_spec r (completion (fst y))); [lia|]. rewrite andb_false_r. lia.
  Qed.

  Lemma in_valid q : In (at_zero q) qs -> valid_request q.
  Proof. intros H. destruct (Hqs _ H) as (H1 & H2 & _). cbn [at_zero prompt output] in *. split; assumption. Qed.

  Lemma nth_tl (p : list Z) j : nth j (tl p) 0 = nth (S j) p 0.
  Proof. destruct p; [destruct j; reflexivity|reflexivity]. Qed.

  Lemma coming_later t Q Q' : coming t Q = coming t Q' -> coming (t + 1) Q = coming (t + 1) Q'.
  Proof.
    assert (H : forall Q, coming (t + 1) Q = filter (fun x => t + 1 <? release (who x)) (coming t Q)).
    { clear. induction Q as [|x Q IH]; [reflexivity|]. unfold coming in *. cbn [filter].
      destruct (Z.ltb_spec t (release (who x))); cbn [filter]; destruct (Z.ltb_spec (t + 1) (release (who x))); try lia; rewrite IH; reflexivity. }
    intros E. rewrite !H, E. reflexivity.
  Qed.

  Lemma followed_right t x n y : right_spot t x -> right_partly t x n (rev (queues x)) (rev specs) y -> right_spot (t + 1) (followed t x y).
  Proof.
    intros (Hq & Ha & Hp) ((R & Hc & Hd) & Hn & Hu). unfold followed, right_spot. cbn [queues active taken].
    assert (Hall : forall z, In z (news y ++ active x) -> In (at_zero (of (fst z))) qs).
    { intros z Hz. apply in_app_or in Hz as [Hz|Hz]; [apply (Hn z Hz)|apply (Ha z Hz)]. }
    split; [|split].
    - unfold rev'. rewrite <- rev_alt. apply changed_spec in Hc. rewrite rev_involutive in Hc. rewrite Hc.
      apply rev_forall2 in Hd. rewrite rev_involutive in Hd.
      eapply weaker_forall2; [|exact Hd]. intros s Q (H1 & H2 & H3). split; [exact H1|split; [exact H2|apply coming_later, H3]].
    - intros z Hz. apply filter_In in Hz as [Hz Hend]. apply in_app_or in Hz as [Hz|Hz].
      + destruct (Hn z Hz) as (H1 & H2 & H3 & H4). repeat split; auto; lia.
      + destruct (Ha z Hz) as (H1 & H2 & H3 & H4). repeat split; auto; lia.
    - intros j. rewrite nth_tl, Hu. unfold still at 2. cbn [active]. rewrite memory_ended.
      + rewrite map_app. f_equal. lia.
      + lia.
      + intros z Hz. apply in_valid, Hall, Hz.
  Qed.

  (* --- Every way to go on is among the choices --- *)

  Lemma begin_found t n q : 0 <= prompt q -> 1 <= output q -> forall c Q done used news, (c <= length Q)%nat ->
    (forall x, In x (firstn c Q) -> at_zero (who x) = at_zero q /\ release (who x) <= t) ->
    (forall j, nth j used 0 + Z.of_nat c * nth j (shape q) 0 <= M) ->
    exists y, (y = Partly done used news /\ c = O \/ In y (begin_some M t n (shape q) done used news Q) /\ StartSearch.done y = (n, skipn c Q) :: done) /\
      (forall j, nth j (StartSearch.used y) 0 = nth j used 0 + Z.of_nat c * nth j (shape q) 0) /\
      (forall r, memory (map fst (StartSearch.news y)) r = memory (map fst news) r + Z.of_nat c * use (Attempt q t) r) /\
      length (StartSearch.news y) = (c + length news)%nat.
  Proof.
    intros Hp Ho. assert (Hpos : forall j, 0 <= nth j (shape q) 0).
    { intros j. rewrite nth_shape by exact Ho. destruct (_ <? _); lia. }
    induction c as [|c IH]; intros Q done0 used0 news0 Hc Hready Hfit.
    - exists (Partly done0 used0 news0). cbn [StartSearch.done StartSearch.used StartSearch.news Nat.add]. split; [left; auto|]. repeat split; intros; lia.
    - destruct Q as [|x Q]; [cbn [length] in Hc; lia|]. cbn [firstn skipn length] in *.
      destruct (Hready x (or_introl eq_refl)) as [Hx Hr].
      destruct (IH Q done0 (add used0 (shape q)) ((Attempt (who x) t, worths x) :: news0)) as (y & Hin & Hu & Hm & Hn).
      + lia.
      + intros y Hy. apply Hready. right. exact Hy.
      + intros j. rewrite nth_add. specialize (Hfit j). specialize (Hpos j). lia.
      + assert (Hsmall : small M (add used0 (shape q)) = true).
        { apply small_spec. intros j. rewrite nth_add. specialize (Hfit j). specialize (Hpos j). nia. }
        assert (Hone : forall z, In z (Partly ((n, Q) :: done0) (add used0 (shape q)) ((Attempt (who x) t, worths x) :: news0)
            :: begin_some M t n (shape q) done0 (add used0 (shape q)) ((Attempt (who x) t, worths x) :: news0) Q) ->
            In z (begin_some M t n (shape q) done0 used0 news0 (x :: Q))).
        { intros z Hz. cbn [begin_some]. replace (release (who x) <=? t) with true by lia. rewrite Hsmall. exact Hz. }
        assert (Hmem : forall r, memory (map fst ((Attempt (who x) t, worths x) :: news0)) r = use (Attempt q t) r + memory (map fst news0) r).
        { intros r. cbn [map fst]. unfold memory at 1. cbn [total]. rewrite (use_at_zero (who x)), Hx, <- use_at_zero. reflexivity. }
        destruct Hin as [[-> ->]|[Hin Hd]].
        * exists (Partly ((n, Q) :: done0) (add used0 (shape q)) ((Attempt (who x) t, worths x) :: news0)).
          cbn [StartSearch.done StartSearch.used StartSearch.news] in *. split; [right; split; [apply Hone; left; reflexivity|reflexivity]|].
          split; [|split]; [intros j; rewrite nth_add; lia|intros r; rewrite Hmem; lia|reflexivity].
        * exists y. split; [right; split; [apply Hone; right; exact Hin|exact Hd]|]. split; [|split].
          -- intros j. rewrite Hu, nth_add. lia.
          -- intros r. rewrite Hm, Hmem. lia.
          -- rewrite Hn. cbn [length]. lia.
  Qed.

  Lemma memory_same q s t r : (forall p, In p s -> p = t) -> memory (map (Attempt q) s) r = Z.of_nat (length s) * use (Attempt q t) r.
  Proof.
    unfold memory. induction s as [|p s IH]; intros H; [reflexivity|]. cbn [map total length].
    rewrite IH by (intros x Hx; apply H; right; exact Hx). rewrite (H p (or_introl eq_refl)). lia.
  Qed.

  Lemma starts_same q s t : (forall p, In p s -> p = t) -> total start (map (Attempt q) s) = t * Z.of_nat (length s).
  Proof.
    induction s as [|p s IH]; intros H; [cbn; lia|]. cbn [map total length start].
    rewrite IH by (intros x Hx; apply H; right; exact Hx). rewrite (H p (or_introl eq_refl)). lia.
  Qed.

  Lemma future_nonneg t : forall (ks : list request) ss r, (forall q, In q ks -> 0 <= prompt q) -> 
    0 <= memory (future ks (map (later_part t) ss)) r /\ 0 <= memory (future ks ss) r.
  Proof.
    induction ks as [|q ks IH]; intros [|s ss] r Hks; cbn [map future]; try (unfold memory; cbn; lia).
    destruct (IH ss r (fun x Hx => Hks x (or_intror Hx))) as [H1 H2]. rewrite !memory_app.
    assert (H : forall s, 0 <= memory (map (Attempt q) s) r); [|pose proof (H s); pose proof (H (later_part t s)); lia].
    intros s'. unfold memory. rewrite total_map. apply total_nonneg. intros p _. unfold use. cbn [of start].
    specialize (Hks q (or_introl eq_refl)). destruct (Z.ltb_spec p r); cbn [andb]; [|lia]. destruct (_ <=? _); lia.
  Qed.

  Lemma choose_found t : forall ss Qs, Forall2 (right_queue t) ss Qs -> forall sts, (forall s, In s ss -> In (fst s) qs) ->
    Forall2 (starts_served t) Qs sts -> Forall ascending sts -> forall found n P R y, In y found -> changed n P (done y) R ->
    (forall j, nth j (used y) 0 + memory (future (map fst ss) (map (at_once_part t) sts)) (t + 1 + Z.of_nat j) <= M) ->
    exists z skips, In z (choose M t n (map shape (map fst ss)) Qs found) /\
      changed (n + Z.of_nat (length Qs)) (rev Qs ++ P) (done z) (rev skips ++ R) /\
      Forall2 (starts_served (t + 1)) skips (map (later_part t) sts) /\
      (forall j, nth j (used z) 0 = nth j (used y) 0 + memory (future (map fst ss) (map (at_once_part t) sts)) (t + 1 + Z.of_nat j)) /\
      (forall r, memory (map fst (news z)) r = memory (map fst (news y)) r + memory (future (map fst ss) (map (at_once_part t) sts)) r) /\
      t * Z.of_nat (length (news z)) + total start (future (map fst ss) (map (later_part t) sts))
        = t * Z.of_nat (length (news y)) + total start (future (map fst ss) sts).
  Proof.
    induction 1 as [|s Q ss Qs HQ HQs IH]; intros sts Hss Hserved Hasc found n P R y Hy Hchanged Hfit.
    - inversion Hserved. subst. exists y, []. cbn [map choose rev app future total length]. unfold memory. cbn [total].
      rewrite Z.add_0_r. repeat split; auto; intros; lia.
    - inversion Hserved as [|Q0 st Qs0 sts' [Hrel Hge] Hserved']. subst. inversion Hasc as [|? ? Hst Hasc']. subst.
      destruct (Hqs _ (Hss s (or_introl eq_refl))) as (Hp & Ho & Hz).
      cbn [map future] in *. set (c := length (at_once_part t st)).
      rewrite Forall_forall in Hge.
      assert (Hsame : forall p, In p (at_once_part t st) -> p = t).
      { intros p Hp'. apply filter_In in Hp' as [Hp' Hle]. specialize (Hge p Hp'). lia. }
      pose proof (ascending_parts t st Hst) as Est. pose proof Hrel as Hrel'. rewrite Est in Hrel'.
      apply forall2_firsts in Hrel' as (Hfirst & Hskip & Hlen). fold c in Hfirst, Hskip, Hlen.
      assert (Hpos : forall j, 0 <= memory (future (map fst ss) (map (at_once_part t) sts')) (t + 1 + Z.of_nat j)).
      { intros j. apply (future_nonneg t). intros q Hq. apply in_map_iff in Hq as (s' & <- & Hs').
        apply (Hqs (fst s')), Hss. right. exact Hs'. }
      assert (Hnow : forall j, memory (map (Attempt (fst s)) (at_once_part t st)) (t + 1 + Z.of_nat j) = Z.of_nat c * nth j (shape (fst s)) 0).
      { intros j. rewrite (memory_same _ _ t _ Hsame), (use_shape _ t) by assumption. reflexivity. }
      destruct (begin_found t n (fst s) Hp Ho c Q (done y) (used y) (news y) Hlen) as (y' & Hin & Hu & Hm & Hn).
      + intros x Hx. split.
        * assert (Hx' : In x Q) by (rewrite <- (firstn_skipn c Q); apply in_or_app; left; exact Hx).
          destruct (proj1 HQ x Hx') as (-> & _). unfold at_zero. destruct (fst s) as [s0 o0 a0]. cbn [release] in Hz. subst. reflexivity.
        * clear -Hfirst Hx Hsame. revert Hsame. induction Hfirst as [|a p l l' Hap Hl IH]; intros Hsame; [destruct Hx|].
          destruct Hx as [<-|Hx]; [rewrite <- (Hsame p (or_introl eq_refl)); exact Hap|].
          apply IH; [exact Hx|]. intros p' Hp'. apply Hsame. right. exact Hp'.
      + intros j. specialize (Hfit j). rewrite memory_app, Hnow in Hfit. specialize (Hpos j). lia.
      + assert (Hy' : In y' (extended M t n (shape (fst s)) Q found) /\ changed (n + 1) (Q :: P) (done y') (skipn c Q :: R)).
        { rewrite in_extended. destruct Hin as [[Ey Ec]|[Hin Hd]].
          - rewrite Ec, Ey. destruct y as [d u k]. cbn [done used news] in *. split; [left; exact Hy|]. constructor. exact Hchanged.
          - split; [right; exists y; split; assumption|]. rewrite Hd. constructor. exact Hchanged. }
        destruct Hy' as [Hy' Hchanged'].
        destruct (IH sts' (fun s' Hs' => Hss s' (or_intror Hs')) Hserved' Hasc' _ (n + 1) (Q :: P) (skipn c Q :: R) y' Hy' Hchanged')
          as (z & skips & Hz' & Hd & Hsk & Hu' & Hm' & Hc).
        * intros j. rewrite Hu. specialize (Hfit j). rewrite memory_app, Hnow in Hfit. lia.
        * exists z, (skipn c Q :: skips). cbn [rev length choose map]. split; [exact Hz'|]. split; [|split; [|split; [|split]]].
          -- rewrite <- !app_assoc. cbn [app]. replace (n + Z.of_nat (S (length Qs))) with (n + 1 + Z.of_nat (length Qs)) by lia. exact Hd.
          -- constructor; [|exact Hsk]. split; [exact Hskip|]. apply Forall_forall. intros p Hp'.
             apply filter_In in Hp' as [_ Hp']. lia.
          -- intros j. rewrite Hu', Hu, memory_app, Hnow. lia.
          -- intros r. rewrite Hm', Hm, memory_app, (memory_same _ _ t _ Hsame). fold c. lia.
          -- rewrite !total_app. rewrite Est at 2. rewrite map_app, total_app, (starts_same _ _ t Hsame). fold c.
             rewrite Hn in Hc. lia.
  Qed.

  Lemma split_memory t r : forall ks sts, Forall ascending sts ->
    memory (future ks sts) r = memory (future ks (map (at_once_part t) sts)) r + memory (future ks (map (later_part t) sts)) r.
  Proof.
    induction ks as [|q ks IH]; intros [|s sts] H; cbn [map future]; try (unfold memory; cbn; lia).
    inversion H as [|? ? Hs Hsts]. subst. rewrite !memory_app, (IH sts Hsts).
    rewrite (ascending_parts t s Hs) at 1. rewrite map_app, memory_app. lia.
  Qed.

  Lemma later_unused t : forall ks sts, memory (future ks (map (later_part t) sts)) (t + 1) = 0.
  Proof.
    induction ks as [|q ks IH]; intros [|s sts]; cbn [map future]; try reflexivity. rewrite memory_app, IH.
    unfold memory. rewrite total_map, (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
    intros p Hp. apply filter_In in Hp as [_ Hp]. unfold use. cbn [start]. replace (p <? t + 1) with false by lia. reflexivity.
  Qed.

  Lemma use_positive a r : 0 <= prompt (of a) -> runs a r = true -> 1 <= use a r.
  Proof.
    intros Hp Hrun. unfold runs in Hrun. unfold use. rewrite Hrun. apply andb_true_iff in Hrun as [H _]. lia.
  Qed.

  Lemma in_future a : forall ks ss, In a (future ks ss) -> In (of a) ks /\ exists s, In s ss /\ In (start a) s.
  Proof.
    induction ks as [|q ks IH]; intros [|s ss] Ha; cbn [future] in Ha; try destruct Ha. apply in_app_or in Ha as [Ha|Ha].
    - apply in_map_iff in Ha as (p & <- & Hp). cbn [of start]. split; [left; reflexivity|]. exists s. split; [left; reflexivity|exact Hp].
    - destruct (IH ss Ha) as (H1 & s' & H2 & H3). split; [right; exact H1|]. exists s'. split; [right; exact H2|exact H3].
  Qed.

  Lemma one_round t x ss : right_spot t x -> may_follow M t qs x ss -> Forall ascending ss ->
    (t < A \/ exists a, In a (still x ++ future qs ss) /\ runs a (t + 1) = true) ->
    exists y, In y (choose M t 0 (map shape qs) (queues x) [Partly [] (taken x) []]) /\ idle_choice A t y = false /\
      may_follow M (t + 1) qs (followed t x y) (map (later_part t) ss) /\
      whole_cost qs (followed t x y) (map (later_part t) ss) = whole_cost qs x ss.
  Proof.
    intros (Hq & Ha & Hp) (Hserved & Hfits) Hasc Hrun.
    assert (Hpos : forall q, In q qs -> 0 <= prompt q) by (intros q H; apply Hqs, H).
    destruct (choose_found t specs (queues x) Hq ss) with (found := [Partly [] (taken x) []]) (n := 0) (P := @nil (list item)) (R := @nil (list item)) (y := Partly [] (taken x) [])
      as (z & skips & Hz & Hd & Hsk & Hu & Hm & Hc).
    - intros s Hs. apply in_map, Hs.
    - exact Hserved.
    - exact Hasc.
    - left. reflexivity.
    - constructor.
    - intros j. cbn [used]. rewrite Hp. fold qs. specialize (Hfits (t + 1 + Z.of_nat j) ltac:(lia)).
      rewrite (split_memory t) in Hfits by exact Hasc.
      pose proof (proj1 (future_nonneg t qs ss (t + 1 + Z.of_nat j) Hpos)). lia.
    - fold qs in Hu, Hm, Hc, Hz. cbn [done used news length map] in *. rewrite !app_nil_r in Hd. apply changed_spec in Hd. rewrite !rev_involutive in Hd.
      exists z. split; [exact Hz|]. split; [|split].
      + unfold idle_choice. destruct (Z.leb_spec A t); [|reflexivity]. cbn [andb]. destruct Hrun as [|(a & Hin & Hrun)]; [lia|].
        destruct (used z) as [|u0 u] eqn:Eu; [exfalso|reflexivity].
        specialize (Hu O). cbn [nth] in Hu. rewrite Hp in Hu. replace (t + 1 + Z.of_nat 0) with (t + 1) in Hu by lia.
        assert (Hall : forall b, In b (still x ++ future qs ss) -> 0 <= prompt (of b)).
        { intros b Hb. apply in_app_or in Hb as [Hb|Hb].
          - apply in_map_iff in Hb as (y & <- & Hy). apply (in_valid _ (proj1 (Ha y Hy))).
          - apply Hpos, (in_future b qs ss Hb). }
        assert (Hone : 1 <= memory (still x ++ future qs ss) (t + 1)).
        { pose proof (use_positive a (t + 1) (Hall a Hin) Hrun) as Huse. unfold memory.
          apply in_split in Hin as (l1 & l2 & El). rewrite El in *. rewrite total_app. cbn [total].
          assert (Hnn : forall k, (forall b, In b k -> 0 <= prompt (of b)) -> 0 <= total (fun a => use a (t + 1)) k).
          { intros k Hk. apply total_nonneg. intros b Hb. specialize (Hk b Hb). unfold use.
            destruct (Z.ltb_spec (start b) (t + 1)); cbn [andb]; [|lia]. destruct (_ <=? _); lia. }
          pose proof (Hnn l1 (fun b Hb => Hall b (in_or_app _ _ _ (or_introl Hb)))).
          pose proof (Hnn l2 (fun b Hb => Hall b (in_or_app _ _ _ (or_intror (in_cons a _ _ Hb))))). lia. }
        rewrite memory_app, (split_memory t) in Hone by exact Hasc. rewrite later_unused in Hone. lia.
      + split.
        * unfold followed. cbn [queues]. unfold rev'. rewrite <- rev_alt, Hd. exact Hsk.
        * intros r Hr. unfold followed, still at 1. cbn [active]. rewrite memory_ended.
          -- rewrite map_app, memory_app, Hm. specialize (Hfits r ltac:(lia)). rewrite (split_memory t) in Hfits by exact Hasc.
             change (map fst (active x)) with (still x). change (memory [] r) with 0. lia.
          -- lia.
          -- (* all are of these shapes *)
             intros y Hy. destruct (choose_right t x specs (queues x) [Partly [] (taken x) []] 0 [] [] Hq) with (z := z) as (_ & Hnew & _).
             { intros s Hs. apply in_map, Hs. }
             { apply first_choice, Hp. }
             { exact Hz. }
             apply in_valid. apply in_app_or in Hy as [Hy|Hy]; [apply (Hnew y Hy)|apply (Ha y Hy)].
      + unfold whole_cost, followed. cbn [begun]. lia.
  Qed.

  (* --- Starts in the order of releases, and no idle rounds --- *)

  Lemma insert_start_permutation p s : Permutation (p :: s) (insert_code p s).
  Proof.
    induction s as [|y s IH]; [reflexivity|]. cbn [insert_code]. destruct (p <=? y); [reflexivity|].
    etransitivity; [apply perm_swap|]. apply perm_skip, IH.
  Qed.

  Lemma insert_ascending p s : ascending s -> ascending (insert_code p s).
  Proof.
    induction s as [|y s IH]; intros H; [split; [intros y []|exact I]|]. cbn [insert_code].
    destruct (Z.leb_spec p y).
    - split; [|exact H]. intros z [<-|Hz]; [lia|]. destruct H as [H _]. specialize (H z Hz). lia.
    - destruct H as [H1 H2]. split; [|apply IH, H2]. intros z Hz.
      apply (Permutation_in _ (Permutation_sym (insert_start_permutation p s))) in Hz as [<-|Hz]; [lia|apply H1, Hz].
  Qed.

  Lemma insert_served p : forall Q x s, rising_queues (x :: Q) -> release (who x) <= p ->
    Forall2 (fun x p => release (who x) <= p) Q s -> Forall2 (fun x p => release (who x) <= p) (x :: Q) (insert_code p s).
  Proof.
    induction Q as [|y Q IH]; intros x s Hx Hp H.
    - inversion H. subst. cbn [insert_code]. constructor; [exact Hp|constructor].
    - inversion H as [|? h ? s' Hy Hs]. subst. cbn [insert_code]. destruct Hx as [H1 H2].
      destruct (Z.leb_spec p h); [constructor; assumption|].
      constructor; [specialize (H1 y (or_introl eq_refl)); lia|]. apply IH; [exact H2|lia|exact Hs].
  Qed.

  Definition starts_in_order (s : list Z) : list Z := fold_right insert_code [] s.

  Lemma in_order_spec t Q s : rising_queues Q -> starts_served t Q s ->
    starts_served t Q (starts_in_order s) /\ ascending (starts_in_order s) /\ Permutation s (starts_in_order s).
  Proof.
    intros HQ [Hrel Hge]. unfold starts_in_order.
    assert (H : Forall2 (fun x p => release (who x) <= p) Q (fold_right insert_code [] s) /\
        ascending (fold_right insert_code [] s) /\ Permutation s (fold_right insert_code [] s)).
    { clear Hge. revert HQ. induction Hrel as [|x p Q s Hx Hs IH]; intros HQ; cbn [fold_right]; [repeat constructor|].
      destruct (IH (proj2 HQ)) as (H1 & H2 & H3). split; [apply insert_served; assumption|].
      split; [apply insert_ascending, H2|]. etransitivity; [apply perm_skip, H3|]. apply insert_start_permutation. }
    destruct H as (H1 & H2 & H3). split; [|split; assumption]. split; [exact H1|]. rewrite Forall_forall in *.
    intros p Hp. apply Hge, (Permutation_in _ (Permutation_sym H3) Hp).
  Qed.

  Lemma future_permutation : forall ks ss ss', Forall2 (@Permutation Z) ss ss' -> Permutation (future ks ss) (future ks ss').
  Proof.
    induction ks as [|q ks IH]; intros ss ss' H; [destruct ss, ss'; constructor|].
    inversion H; subst; cbn [future]; [constructor|]. apply Permutation_app; [apply Permutation_map; assumption|apply IH; assumption].
  Qed.

  Lemma goes_on_ordered t x ss : right_spot t x -> may_follow M t qs x ss -> exists ss', may_follow M t qs x ss' /\ Forall ascending ss' /\
    Permutation (future qs ss) (future qs ss').
  Proof.
    intros (Hq & _ & _) (Hserved & Hfits).
    assert (H : exists ss', Forall2 (starts_served t) (queues x) ss' /\ Forall ascending ss' /\ Forall2 (@Permutation Z) ss ss').
    { clear Hfits. revert Hserved. generalize (queues x), ss, Hq. clear. induction specs as [|sp sps IH]; intros Qs ss Hq Hs.
      - inversion Hq. subst. inversion Hs. subst. exists []. repeat constructor.
      - inversion Hq as [|? Q ? Qs' (_ & Hrise & _) Hq']. subst. inversion Hs as [|? s ? ss' Hserved Hs']. subst.
        destruct (IH Qs' ss' Hq' Hs') as (rest & H1 & H2 & H3). destruct (in_order_spec t Q s Hrise Hserved) as (H4 & H5 & H6).
        exists (starts_in_order s :: rest). split; [constructor; assumption|split; constructor; assumption]. }
    destruct H as (ss' & H1 & H2 & H3). pose proof (future_permutation qs _ _ H3) as Hperm.
    exists ss'. split; [|split; assumption]. split; [exact H1|]. intros r Hr. specialize (Hfits r Hr). unfold memory in *.
    rewrite <- (total_permutation _ _ _ Hperm). exact Hfits.
  Qed.

  Context (Hlate : forall x, good x -> release (who x) <= A).

  Definition earlier_start (r p : Z) : Z := if r <=? p then p - 1 else p.

  Lemma future_earlier r : forall ks ss, future ks (map (map (earlier_start r)) ss) = map (earlier r) (future ks ss).
  Proof.
    induction ks as [|q ks IH]; intros [|s ss]; cbn [map future]; try reflexivity. rewrite map_app, IH, !map_map. reflexivity.
  Qed.

  Lemma goes_on_valid t x ss : right_spot t x -> may_follow M t qs x ss -> 0 <= t ->
    forall a, In a (still x ++ future qs ss) -> valid_request (of a) /\ 0 <= start a.
  Proof.
    intros (_ & Ha & _) (Hserved & _) Ht a Hin. apply in_app_or in Hin as [Hin|Hin].
    - apply in_map_iff in Hin as (y & <- & Hy). destruct (Ha y Hy) as (H1 & H2 & _). split; [apply in_valid, H1|lia].
    - apply in_future in Hin as (H1 & s & Hs & Hp). split; [split; apply Hqs, H1|].
      assert (H : exists Q, starts_served t Q s).
      { clear -Hserved Hs. induction Hserved as [|Q s' Qs ss H _ IH]; [destruct Hs|]. destruct Hs as [<-|Hs]; [eauto|apply IH, Hs]. }
      destruct H as (Q & _ & Hge). rewrite Forall_forall in Hge. specialize (Hge _ Hp). lia.
  Qed.

  Lemma shifted t x ss r : 0 <= t -> right_spot t x -> may_follow M t qs x ss -> Z.max A t + 1 <= r ->
    (forall a, In a (still x ++ future qs ss) -> runs a r = false) -> may_follow M t qs x (map (map (earlier_start r)) ss).
  Proof.
    intros Ht Hx Hgo Hr Hidle. pose proof (goes_on_valid t x ss Hx Hgo Ht) as Hvalid. destruct Hx as (Hq & Ha & _). destruct Hgo as (Hserved & Hfits).
    split.
    - revert Hq. clear Ha Hfits Hidle Hvalid. unfold right_queue. generalize specs as sps. induction Hserved as [|Q s Qs ss' [H1 H2] H IH]; intros sps Hq; [constructor|].
      inversion Hq as [|sp ? sps' ? (Hright & _) Hq']. subst. cbn [map]. constructor; [|apply (IH _ Hq')]. split.
      + clear -H1 Hright Hr Hlate. induction H1 as [|y p Q s Hy Hs IHs]; [constructor|]. cbn [map]. constructor.
        * destruct (Hright y (or_introl eq_refl)) as (_ & _ & Hg). specialize (Hlate y Hg). unfold earlier_start.
          destruct (Z.leb_spec r p); lia.
        * apply IHs. intros z Hz. apply Hright. right. exact Hz.
      + rewrite Forall_forall in *. intros p Hp. apply in_map_iff in Hp as (p0 & <- & Hp). specialize (H2 p0 Hp).
        unfold earlier_start. destruct (Z.leb_spec r p0); lia.
    - intros r' Hr'. rewrite future_earlier.
      replace (still x) with (map (earlier r) (still x)).
      2:{ rewrite <- (map_id (still x)) at 2. apply map_ext_in. intros a Hin. apply in_map_iff in Hin as (y & <- & Hy).
          destruct (Ha y Hy) as (_ & _ & H3 & _). unfold earlier. destruct (fst y) as [q p]. cbn [of start] in *.
          destruct (Z.leb_spec r p); [lia|reflexivity]. }
      rewrite <- memory_app, <- map_app. unfold memory. rewrite total_map.
      assert (Hle : total (fun a => use (earlier r a) r') (still x ++ future qs ss)
          <= memory (still x ++ future qs ss) (if r' <? r then r' else r' + 1)).
      { unfold memory. apply total_le. intros a Hin. specialize (Hidle a Hin). destruct (Hvalid a Hin) as [[Hs Ho] Hp].
        unfold runs in Hidle. unfold use, earlier, completion in *. cbn [of start].
        destruct (Z.leb_spec r (start a)), (Z.ltb_spec r' r);
        repeat match goal with
          | |- context [?u <? ?v] => destruct (Z.ltb_spec u v)
          | |- context [?u <=? ?v] => destruct (Z.leb_spec u v)
          end; cbn [andb]; lia. }
      eapply Z.le_trans; [exact Hle|]. rewrite memory_app. destruct (Z.ltb_spec r' r); apply Hfits; lia.
  Qed.

  Lemma settled t x : 0 <= t -> right_spot t x -> forall n ss, (Z.to_nat (total start (future qs ss)) <= n)%nat -> may_follow M t qs x ss ->
    exists ss', may_follow M t qs x ss' /\ busy_after (Z.max A t) (still x ++ future qs ss') /\
      total start (future qs ss') <= total start (future qs ss).
  Proof.
    intros Ht Hx. induction n as [|n IH]; intros ss Hn Hgo;
      (destruct (Kvopt.BusyTime.all_complete (still x ++ future qs ss)) as (T & HT);
       destruct (idle_round_exists (Z.max A t) (still x ++ future qs ss) T ltac:(lia) HT) as [Hbusy|(r & Hr & (a & Hin & Hra) & Hidle)];
       [exists ss; split; [exact Hgo|split; [exact Hbusy|lia]]|]);
      pose proof (shifted t x ss r Ht Hx Hgo Hr Hidle) as Hgo';
      pose proof (goes_on_valid t x ss Hx Hgo Ht) as Hvalid;
      (assert (Hless : total start (future qs (map (map (earlier_start r)) ss)) < total start (future qs ss)); [
        rewrite future_earlier, total_map;
        assert (Hf : In a (future qs ss)); [
          apply in_app_or in Hin as [Hin|Hin]; [exfalso|exact Hin];
          specialize (Hidle a (in_or_app _ _ _ (or_introl Hin))); apply in_map_iff in Hin as (y & <- & Hy);
          destruct Hx as (_ & Ha & _); destruct (Ha y Hy) as (_ & _ & H3 & _); unfold runs in Hidle; lia|];
        assert (Hstart : r <= start a) by (specialize (Hidle a Hin); unfold runs in Hidle; lia);
        assert (Hle : forall k, total (fun b => start (earlier r b)) k <= total start k) by
          (intros k; apply total_le; intros b _; unfold earlier; cbn [start]; destruct (r <=? start b); lia);
        apply in_split in Hf as (k1 & k2 & ->); rewrite !total_app; cbn [total];
        pose proof (Hle k1); pose proof (Hle k2);
        replace (start (earlier r a)) with (start a - 1) by (unfold earlier; cbn [start]; destruct (Z.leb_spec r (start a)); lia); lia|]).
    - exfalso. assert (Hpos : 0 <= total start (future qs (map (map (earlier_start r)) ss))); [|lia].
      apply total_nonneg. intros b Hb. apply (goes_on_valid t x _ Hx Hgo' Ht b). apply in_or_app. right. exact Hb.
    - assert (Hpos : 0 <= total start (future qs (map (map (earlier_start r)) ss))).
      { apply total_nonneg. intros b Hb. apply (goes_on_valid t x _ Hx Hgo' Ht b). apply in_or_app. right. exact Hb. }
      destruct (IH (map (map (earlier_start r)) ss) ltac:(lia) Hgo') as (ss' & H1 & H2 & H3). exists ss'. split; [exact H1|split; [exact H2|lia]].
  Qed.

  (* --- Lemma 8 --- *)

  Lemma rising_parts t Q : rising_queues Q -> Q = filter (fun x => release (who x) <=? t) Q ++ coming t Q.
  Proof.
    unfold coming. induction Q as [|x Q IH]; intros H; [reflexivity|]. destruct H as [H1 H2]. specialize (IH H2). cbn [filter].
    destruct (Z.leb_spec (release (who x)) t), (Z.ltb_spec t (release (who x))); try lia; cbn [app]; [f_equal; exact IH|].
    assert (E : forall k, (forall y, In y k -> release (who x) <= release (who y)) ->
        filter (fun x => release (who x) <=? t) k = [] /\ filter (fun x => t <? release (who x)) k = k).
    { induction k as [|y k IHk]; intros Hk; [auto|]. cbn [filter]. destruct (IHk (fun z Hz => Hk z (or_intror Hz))) as [E1 E2].
      specialize (Hk y (or_introl eq_refl)). destruct (Z.leb_spec (release (who y)) t), (Z.ltb_spec t (release (who y))); try lia.
      rewrite E1, E2. auto. }
    destruct (E Q H1) as [-> ->]. reflexivity.
  Qed.

  Lemma ready_length t Q : ready_of t Q = Z.of_nat (length (filter (fun x => release (who x) <=? t) Q)).
  Proof.
    unfold ready_of. induction Q as [|x Q IH]; [reflexivity|]. cbn [total filter]. rewrite IH.
    destruct (_ <=? _); cbn [length]; lia.
  Qed.

  (* Shapes of one prompt that follow each other, the longest first. *)
  Fixpoint orderly (last longest : Z) (ks : list request) : Prop :=
    match ks with q :: rest => (prompt q = last -> output q <= longest) /\ orderly (prompt q) (output q) rest | [] => True end.

  (* Starts of those who wait, and of those who are to come. *)
  Fixpoint both (ss ss' : list (list Z)) : list (list Z) :=
    match ss, ss' with s :: r, s' :: r' => (s ++ s') :: both r r' | _, _ => [] end.

  Lemma future_both r : forall ks ss ss', length ss = length ss' ->
    memory (future ks (both ss ss')) r = memory (future ks ss) r + memory (future ks ss') r /\
    total start (future ks (both ss ss')) = total start (future ks ss) + total start (future ks ss').
  Proof.
    induction ks as [|q ks IH]; intros [|s ss] [|s' ss'] H; cbn [length both future] in *; try discriminate; try (unfold memory; cbn; lia).
    destruct (IH ss ss' ltac:(lia)) as [H1 H2]. rewrite !memory_app, !total_app, map_app, memory_app, total_app. lia.
  Qed.

  Lemma waiting_and_coming t : forall sps Qs ss, Forall2 (right_queue t) sps Qs -> Forall2 (starts_served t) Qs ss ->
    exists sw sc, ss = both sw sc /\ length sw = length sc /\
      map (fun s => Z.of_nat (length s)) sw = map (ready_of t) Qs /\ Forall (Forall (fun p => t <= p)) sw /\
      Forall2 (fun sp s => starts_served t (coming t (snd sp)) s) sps sc.
  Proof.
    intros sps Qs ss H. revert ss. induction H as [|sp Q sps Qs (H1 & H2 & H3) H IH]; intros ss Hs; inversion Hs as [|? s ? ss' [Hrel Hge] Hs']; subst.
    - exists [], []. repeat constructor.
    - destruct (IH ss' Hs') as (sw & sc & -> & Hlen & Hw & Hsw & Hsc).
      rewrite (rising_parts t Q H2) in Hrel. apply Forall2_app_inv_l in Hrel as (s1 & s2 & Hr1 & Hr2 & ->).
      apply Forall_app in Hge as [Hg1 Hg2].
      exists (s1 :: sw), (s2 :: sc). cbn [both length map]. repeat split; auto.
      + f_equal; [|exact Hw]. rewrite ready_length. f_equal. symmetry. apply (forall2_same_length _ _ _ Hr1).
      + constructor; [|exact Hsc]. rewrite <- H3. split; assumption.
  Qed.

  Lemma joined t : forall sps Qs sw sc, Forall2 (right_queue t) sps Qs ->
    map (fun s => Z.of_nat (length s)) sw = map (ready_of t) Qs -> Forall (Forall (fun p => t <= p)) sw ->
    Forall2 (fun sp s => starts_served t (coming t (snd sp)) s) sps sc -> Forall2 (starts_served t) Qs (both sw sc).
  Proof.
    intros sps Qs sw sc H. revert sw sc. induction H as [|sp Q sps Qs (H1 & H2 & H3) H IH]; intros [|s sw] sc Hw Hsw Hsc;
      cbn [map] in Hw; try discriminate; inversion Hsc as [|? s' ? sc' [Hrel Hge] Hsc']; subst; [constructor|].
    inversion Hsw as [|? ? Hs Hsw']. subst. injection Hw as Hlen Hw. cbn [both]. constructor; [|apply IH; assumption].
    split; [|apply Forall_app; split; assumption]. rewrite (rising_parts t Q H2). apply Forall2_app; [|rewrite H3; exact Hrel].
    rewrite ready_length in Hlen. apply Nat2Z.inj in Hlen. clear -Hlen Hs.
    assert (Hall : forall x, In x (filter (fun x => release (who x) <=? t) Q) -> release (who x) <= t).
    { intros x Hx. apply filter_In in Hx as [_ Hx]. lia. }
    revert s Hlen Hs. induction (filter (fun x => release (who x) <=? t) Q) as [|x k IH]; intros [|p s] Hlen Hs; cbn [length] in Hlen; try discriminate; [constructor|].
    inversion Hs as [|? ? Hp Hs']. subst. constructor; [specialize (Hall x (or_introl eq_refl)); lia|].
    apply IH; [intros y Hy; apply Hall; right; exact Hy|lia|exact Hs'].
  Qed.

  (* The fields, from how many wait of each shape. *)
  Fixpoint fields_from (last sum : Z) (ks : list request) (ws : list Z) : list Z :=
    match ks, ws with
    | q :: ks', w :: ws' => let here := (if prompt q =? last then sum else 0) + w in here :: fields_from (prompt q) here ks' ws'
    | _, _ => []
    end.
  Lemma waiting_fields_from t : forall ks last sum Qs, waiting_fields t last sum ks Qs = fields_from last sum ks (map (ready_of t) Qs).
  Proof. induction ks as [|q ks IH]; intros last sum [|Q Qs]; cbn; try reflexivity. cbv zeta. f_equal. apply IH. Qed.

  Lemma fields_length : forall ks last sum ws, length ks = length ws -> length (fields_from last sum ks ws) = length ks.
  Proof. induction ks as [|q ks IH]; intros last sum [|w ws] H; cbn [length fields_from] in *; try discriminate; [reflexivity|]. cbv zeta. cbn [length]. rewrite IH; lia. Qed.

  Lemma below_forall2 : forall p p', length p = length p' -> nowhere_above p p' = true <-> Forall2 Z.le p p'.
  Proof.
    induction p as [|x p IH]; intros [|y p'] H; cbn [length nowhere_above] in *; try discriminate; [split; [constructor|reflexivity]|].
    rewrite andb_true_iff, (IH p') by lia. split; [intros [H1 H2]; constructor; [lia|exact H2]|].
    intros H1. inversion H1. subst. split; [lia|assumption].
  Qed.

  Lemma below_rev p p' : nowhere_above (rev' p) (rev' p') = true -> length p = length p' -> nowhere_above p p' = true.
  Proof.
    unfold rev'. rewrite <- !rev_alt. intros H Hlen. apply below_forall2; [exact Hlen|]. apply below_forall2 in H; [|rewrite !rev_length; exact Hlen].
    apply rev_forall2 in H. rewrite !rev_involutive in H. exact H.
  Qed.

  Lemma total_starts_ge t k : Forall (fun a => t <= start a) k -> t * Z.of_nat (length k) <= total start k.
  Proof. induction 1 as [|a k Ha _ IH]; cbn [length total]; lia. Qed.

  Lemma memory_pos k r : Forall (fun a => 0 <= prompt (of a)) k -> 0 <= memory k r.
  Proof.
    intros H. rewrite Forall_forall in H. apply total_nonneg. intros a Ha. specialize (H a Ha). unfold use.
    destruct (Z.ltb_spec (start a) r); cbn [andb]; [|lia]. destruct (_ <=? _); lia.
  Qed.

  Lemma matched t : forall ks ws sw' last longest pool sum sum', (forall q, In q ks -> 0 <= prompt q) -> orderly last longest ks ->
    Forall (fun a => prompt (of a) = last /\ longest <= output (of a) /\ 0 <= prompt (of a) /\ t <= start a) pool ->
    Z.of_nat (length pool) = sum' - sum -> length ws = length ks -> length sw' = length ks -> Forall (fun w => 0 <= w) ws ->
    Forall (Forall (fun p => t <= p)) sw' ->
    nowhere_above (fields_from last sum ks ws) (fields_from last sum' ks (map (fun s => Z.of_nat (length s)) sw')) = true ->
    exists sw, map (fun s => Z.of_nat (length s)) sw = ws /\ Forall (Forall (fun p => t <= p)) sw /\
      (forall r, memory (future ks sw) r <= memory pool r + memory (future ks sw') r) /\
      total start (future ks sw) + t * (Z.of_nat (length pool) + total (fun s => Z.of_nat (length s)) sw' - total (fun w => w) ws)
        <= total start pool + total start (future ks sw').
  Proof.
    induction ks as [|q ks IH]; intros [|w ws] [|s' sw'] last longest pool sum sum' Hks Hord Hpool Hsum Hl1 Hl2 Hw Hsw Hbelow;
      cbn [length] in *; try discriminate.
    - exists []. cbn [map future total]. repeat split; auto.
      + intros r. assert (0 <= memory pool r); [|unfold memory in *; cbn; lia]. apply memory_pos. eapply Forall_impl; [|exact Hpool].
        cbv beta. intros a Ha. apply Ha.
      + assert (t * Z.of_nat (length pool) <= total start pool); [|lia]. apply total_starts_ge. eapply Forall_impl; [|exact Hpool].
        cbv beta. intros a Ha. apply Ha.
    - inversion Hw as [|? ? Hw0 Hw']. subst. inversion Hsw as [|? ? Hs' Hsw'']. subst. destruct Hord as [Hlong Hord].
      cbn [map fields_from nowhere_above] in Hbelow. cbv zeta in Hbelow. apply andb_true_iff in Hbelow as [Hfield Hbelow].
      set (pool0 := if prompt q =? last then pool else []) in *.
      set (all := pool0 ++ map (Attempt q) s').
      assert (Hq : 0 <= prompt q) by (apply Hks; left; reflexivity).
      assert (Hall : Forall (fun a => prompt (of a) = prompt q /\ output q <= output (of a) /\ 0 <= prompt (of a) /\ t <= start a) all).
      { apply Forall_app. split.
        - unfold pool0. destruct (Z.eqb_spec (prompt q) last) as [E|]; [|constructor]. specialize (Hlong E).
          eapply Forall_impl; [|exact Hpool]. cbv beta. intros a (H1 & H2 & H3 & H4). repeat split; lia.
        - rewrite Forall_forall in *. intros a Ha. apply in_map_iff in Ha as (p & <- & Hp). cbn [of start]. specialize (Hs' p Hp).
          repeat split; lia. }
      assert (Hn : Z.of_nat (length all) = (if prompt q =? last then sum' else 0) + Z.of_nat (length s') - (if prompt q =? last then sum else 0)).
      { unfold all, pool0. rewrite app_length, map_length. destruct (prompt q =? last); cbn [length]; lia. }
      assert (Hpool0 : (forall r, memory pool0 r <= memory pool r) /\
          total start pool0 + t * (Z.of_nat (length pool) - Z.of_nat (length pool0)) <= total start pool).
      { unfold pool0. destruct (prompt q =? last); [split; intros; lia|]. split.
        - intros r. change (memory [] r) with 0. apply memory_pos. eapply Forall_impl; [|exact Hpool]. cbv beta. intros a Ha. apply Ha.
        - cbn [total length]. assert (t * Z.of_nat (length pool) <= total start pool); [|lia]. apply total_starts_ge.
          eapply Forall_impl; [|exact Hpool]. cbv beta. intros a Ha. apply Ha. }
      destruct Hpool0 as [Hmem0 Hcost0].
      set (c := Z.to_nat w). assert (Hc : (c <= length all)%nat) by (unfold c; lia).
      pose proof (firstn_skipn c all) as Eall. pose proof Hall as Hall'. rewrite <- Eall in Hall'. apply Forall_app in Hall' as [Hfirst Hrest].
      destruct (IH ws sw' (prompt q) (output q) (skipn c all) ((if prompt q =? last then sum else 0) + w)
        ((if prompt q =? last then sum' else 0) + Z.of_nat (length s'))) as (sw & H1 & H2 & H3 & H4); auto.
      + intros x Hx. apply Hks. right. exact Hx.
      + rewrite skipn_length. unfold c in *. lia.
      + exists (map start (firstn c all) :: sw). cbn [map future total]. rewrite map_map. cbn [length].
        assert (Hlen : Z.of_nat (length (firstn c all)) = w) by (rewrite firstn_length; unfold c in *; lia).
        assert (Hstarts : total start (map (fun x => Attempt q (start x)) (firstn c all)) = total start (firstn c all)).
        { rewrite total_map. reflexivity. }
        assert (Huse : forall r, memory (map (fun x => Attempt q (start x)) (firstn c all)) r <= memory (firstn c all) r).
        { intros r. unfold memory. rewrite total_map. apply total_le. intros a Ha. rewrite Forall_forall in Hfirst.
          destruct (Hfirst a Ha) as (E1 & E2 & E3 & _). unfold use, completion. cbn [of start]. rewrite E1.
          destruct (Z.ltb_spec (start a) r), (Z.leb_spec r (start a + output q)), (Z.leb_spec r (start a + output (of a))); cbn [andb]; lia. }
        assert (Emem : forall r, memory all r = memory (firstn c all) r + memory (skipn c all) r).
        { intros r. rewrite <- memory_app, Eall. reflexivity. }
        assert (Ecost : total start all = total start (firstn c all) + total start (skipn c all)).
        { rewrite <- total_app, Eall. reflexivity. }
        assert (Emem' : forall r, memory all r = memory pool0 r + memory (map (Attempt q) s') r).
        { intros r. unfold all. apply memory_app. }
        assert (Ecost' : total start all = total start pool0 + total start (map (Attempt q) s')).
        { unfold all. apply total_app. }
        assert (Elen : Z.of_nat (length all) = Z.of_nat (length pool0) + Z.of_nat (length s')).
        { unfold all. rewrite app_length, map_length. lia. }
        rewrite skipn_length in H4. split; [|split; [|split]].
        * f_equal; [rewrite map_length; exact Hlen|exact H1].
        * constructor; [|exact H2]. rewrite Forall_forall in *. intros p Hp. apply in_map_iff in Hp as (a & <- & Ha). apply (Hfirst a Ha).
        * intros r. rewrite !memory_app. specialize (H3 r). specialize (Huse r). specialize (Emem r). specialize (Emem' r). specialize (Hmem0 r). lia.
        * rewrite !total_app, Hstarts.
          replace (Z.of_nat (length all - c)) with (Z.of_nat (length pool0) + Z.of_nat (length s') - w) in H4 by (unfold c in *; lia). lia.
  Qed.

  Lemma below_spec p p' : nowhere_above p p' = true -> (forall j, 0 <= nth j p' 0) -> forall j, nth j p 0 <= nth j p' 0.
  Proof.
    revert p'. induction p as [|x p IH]; intros p' H Hpos j; [destruct j; apply Hpos|].
    destruct p' as [|y p']; cbn [nowhere_above] in H; [discriminate|]. apply andb_true_iff in H as [H1 H2].
    destruct j as [|j]; cbn [nth]; [lia|]. apply IH; [exact H2|]. intros i. apply (Hpos (S i)).
  Qed.

  Definition no_worse_spot (t : Z) (x y : spot) : Prop :=
    begun x + t * total (ready_of t) (queues x) <= begun y + t * total (ready_of t) (queues y) /\
    nowhere_above (fields_at t qs x) (fields_at t qs y) = true /\
    nowhere_above (taken x) (taken y) = true.

  Lemma superfluous t x y ss : orderly (-1) 0 qs -> right_spot t x -> right_spot t y -> no_worse_spot t x y -> may_follow M t qs y ss ->
    exists ss', may_follow M t qs x ss' /\ whole_cost qs x ss' <= whole_cost qs y ss.
  Proof.
    intros Hord (Hqx & Hax & Hpx) (Hqy & Hay & Hpy) (Hweight & Hfields & Htaken) (Hserved & Hfits).
    destruct (waiting_and_coming t specs (queues y) ss Hqy Hserved) as (sw' & sc & -> & Hlen & Hw' & Hsw' & Hsc).
    assert (Hpos : forall q, In q qs -> 0 <= prompt q) by (intros q H; apply Hqs, H).
    assert (Hl : forall Qs, Forall2 (right_queue t) specs Qs -> length Qs = length qs).
    { intros Qs H. unfold qs. rewrite map_length. symmetry. apply (forall2_same_length _ _ _ H). }
    unfold fields_at in Hfields. rewrite !waiting_fields_from in Hfields. apply below_rev in Hfields.
    2:{ rewrite !fields_length by (rewrite map_length; symmetry; apply Hl; assumption). reflexivity. }
    rewrite <- Hw' in Hfields.
    destruct (matched t qs (map (ready_of t) (queues x)) sw' (-1) 0 [] 0 0) as (sw & H1 & H2 & H3 & H4); auto.
    - rewrite map_length. apply Hl, Hqx.
    - rewrite <- (map_length (fun s => Z.of_nat (length s))), Hw', map_length. apply Hl, Hqy.
    - apply Forall_forall. intros w Hw. apply in_map_iff in Hw as (Q & <- & _). rewrite ready_length. lia.
    - assert (Hlen' : length sw = length sc).
      { rewrite <- Hlen. rewrite <- (map_length (fun s => Z.of_nat (length s)) sw), H1, <- (map_length (fun s => Z.of_nat (length s)) sw'), Hw', !map_length.
        rewrite (Hl _ Hqx), (Hl _ Hqy). reflexivity. }
      exists (both sw sc). split; [split|].
      + apply (joined t specs); assumption.
      + intros r Hr. specialize (Hfits r Hr). rewrite (proj1 (future_both r qs _ _ Hlen)) in Hfits.
        rewrite (proj1 (future_both r qs _ _ Hlen')). specialize (H3 r). change (memory [] r) with 0 in H3.
        assert (Hrun : memory (still x) r <= memory (still y) r); [|lia].
        pose proof (below_spec _ _ Htaken) as Hb. specialize (Hb ltac:(intros j; rewrite Hpy; apply memory_pos; apply Forall_forall;
          intros a Ha; apply in_map_iff in Ha as (z & <- & Hz); apply (in_valid _ (proj1 (Hay z Hz))))).
        specialize (Hb (Z.to_nat (r - t - 1))). rewrite Hpx, Hpy in Hb.
        replace (t + 1 + Z.of_nat (Z.to_nat (r - t - 1))) with r in Hb by lia. exact Hb.
      + unfold whole_cost. rewrite (proj2 (future_both 0 qs _ _ Hlen)), (proj2 (future_both 0 qs _ _ Hlen')).
        cbn [length total] in H4. change (Z.of_nat 0) with 0 in H4.
        assert (E1 : total (fun s => Z.of_nat (length s)) sw' = total (ready_of t) (queues y)).
        { rewrite <- (total_map (fun x => x) (fun s => Z.of_nat (length s)) sw'), Hw', total_map. reflexivity. }
        assert (E2 : total (fun w => w) (map (ready_of t) (queues x)) = total (ready_of t) (queues x)) by (rewrite total_map; reflexivity).
        rewrite E1, E2 in H4. lia.
  Qed.

  (* --- What is kept --- *)

  Lemma in_merged le l : forall l' found x, In x l \/ In x l' \/ In x found <-> In x (merged le l l' found).
  Proof.
    assert (Happ : forall (l found : list weighed_spot) x, In x (rev_append found l) <-> In x l \/ In x found).
    { intros k found x. rewrite rev_append_rev, in_app_iff, <- in_rev. tauto. }
    induction l as [|a l IH]; intros l'.
    - intros found x. destruct l'; cbn [merged]; rewrite Happ; cbn [In]; tauto.
    - induction l' as [|b l' IH']; intros found x.
      + cbn [merged]. rewrite Happ. cbn [In]. tauto.
      + cbn [merged]. destruct (le a b).
        * rewrite <- IH. cbn [In]. tauto.
        * specialize (IH' (b :: found) x). cbn [merged] in IH'. rewrite <- IH'. cbn [In]. tauto.
  Qed.

  Lemma in_rev' {B : Type} (l : list B) x : In x (rev' l) <-> In x l.
  Proof. unfold rev'. rewrite <- rev_alt, <- in_rev. reflexivity. Qed.

  Lemma in_merge_pairs le : forall n ls found x, (length ls <= n)%nat ->
    In x (concat ls) \/ In x (concat found) <-> In x (concat (merge_pairs le ls found)).
  Proof.
    assert (Hrev : forall (ls : list (list weighed_spot)) x, In x (concat (rev' ls)) <-> In x (concat ls)).
    { intros ls x. rewrite !in_concat. split; intros (y & Hy & Hx); exists y; (split; [apply in_rev'; exact Hy|exact Hx]). }
    induction n as [|n IH]; intros [|a [|b ls]] found x Hlen; cbn [length merge_pairs] in *; try lia;
      try (rewrite Hrev; cbn [concat]; rewrite ?in_app_iff; cbn [In]; tauto).
    rewrite <- (IH ls (merged le a b [] :: found) x) by lia. cbn [concat]. rewrite !in_app_iff, <- in_merged. cbn [In]. tauto.
  Qed.

  Lemma in_merge_all le : forall fuel ls x, In x (concat ls) <-> In x (merge_all le fuel ls).
  Proof.
    induction fuel as [|fuel IH]; intros [|a [|b ls]] x; cbn [merge_all]; try tauto;
      try (cbn [concat]; rewrite app_nil_r; tauto).
    rewrite <- IH, <- (in_merge_pairs le (length (a :: b :: ls))) by lia. cbn [In concat]. tauto.
  Qed.

  Lemma in_collected {B C : Type} (f : B -> C) (l : list B) y : In y (rev' (fold_left (fun found x => f x :: found) l [])) <-> In y (map f l).
  Proof.
    rewrite in_rev'. assert (H : forall found, In y (fold_left (fun found x => f x :: found) l found) <-> In y (map f l) \/ In y found).
    { induction l as [|x l IH]; intros found; cbn [fold_left map In]; [tauto|]. rewrite IH. cbn [In]. tauto. }
    rewrite H. cbn [In]. tauto.
  Qed.

  Lemma in_in_turn le l x : In x (merge_sorted le l) <-> In x l.
  Proof.
    unfold merge_sorted. rewrite <- in_merge_all, in_concat. unfold each_alone. split.
    - intros (y & Hy & Hx). apply in_collected, in_map_iff in Hy as (z & <- & Hz). destruct Hx as [<-|[]]. exact Hz.
    - intros Hx. exists [x]. split; [apply in_collected, in_map_iff; exists x; auto|left; reflexivity].
  Qed.

  (* What is kept, whose fields are nowhere larger. *)
  Definition lists_kept (fields : list Z) (l : kept_list) (kept : list weighed_spot) : Prop :=
    forall y, In y l -> exists z, In z kept /\ nowhere_above (fields_of z) fields = true /\ weight z = fst y /\ taken (spot_of z) = snd y.

  Lemma lists_more fields l kept x : lists_kept fields l kept -> lists_kept fields l (x :: kept).
  Proof. intros H y Hy. destruct (H y Hy) as (z & Hz & Hrest). exists z. split; [right; exact Hz|exact Hrest]. Qed.

  Lemma below_trans : forall p p' p'', nowhere_above p p' = true -> nowhere_above p' p'' = true -> nowhere_above p p'' = true.
  Proof.
    induction p as [|x p IH]; intros [|y p'] [|z p''] H1 H2; cbn [nowhere_above] in *; try discriminate; try reflexivity.
    apply andb_true_iff in H1 as [H1 H3]. apply andb_true_iff in H2 as [H2 H4]. apply andb_true_iff. split; [lia|apply (IH p'); assumption].
  Qed.

  Lemma below_refl p : nowhere_above p p = true.
  Proof. induction p as [|x p IH]; [reflexivity|]. cbn [nowhere_above]. rewrite Z.leb_refl. exact IH. Qed.

  Lemma covered_spec w p l : covered w p l = true -> exists y, In y l /\ fst y <= w /\ nowhere_above (snd y) p = true.
  Proof.
    induction l as [|y l IH]; cbn [covered]; [discriminate|]. destruct (Z.leb_spec (fst y) w); [|discriminate]. intros E.
    apply orb_true_iff in E as [E|E]; [exists y; split; [left; reflexivity|auto]|]. destruct (IH E) as (z & Hz & Hrest).
    exists z. split; [right; exact Hz|exact Hrest].
  Qed.

  Definition lighter (x y : weighed_spot) : Prop :=
    weight x <= weight y /\ nowhere_above (fields_of x) (fields_of y) = true /\ nowhere_above (taken (spot_of x)) (taken (spot_of y)) = true.

  Lemma covers_spec x under own kept : (forall l, In l under -> lists_kept (fields_of x) l kept) -> lists_kept (fields_of x) own kept ->
    covers x under own = true -> exists z, In z kept /\ lighter z x.
  Proof.
    intros Hunder Hown E. assert (H : exists l y, (l = own \/ In l under) /\ In y l /\ fst y <= weight x /\ nowhere_above (snd y) (taken (spot_of x)) = true).
    { unfold covers in E. apply orb_true_iff in E as [E|E].
      - apply existsb_exists in E as (y & Hy & E). apply andb_true_iff in E as [E1 E2]. exists own, y. repeat split; auto. lia.
      - apply existsb_exists in E as (l & Hl & E). apply covered_spec in E as (y & Hy & E1 & E2). exists l, y. auto. }
    destruct H as (l & y & Hl & Hy & Hw & Hb). assert (Hk : lists_kept (fields_of x) l kept) by (destruct Hl as [->|Hl]; [exact Hown|apply Hunder, Hl]).
    destruct (Hk y Hy) as (z & Hz & Hf & Ew & Et). exists z. split; [exact Hz|]. split; [lia|]. split; [exact Hf|]. rewrite Et. exact Hb.
  Qed.

  Lemma keep_rows_spec : forall l groups now under own kept,
    (forall g, In g groups -> lists_kept (fst g) (snd g) kept) -> (forall k, In k under -> lists_kept now k kept) -> lists_kept now own kept ->
    let all := keep_rows l groups now under own kept in
    (forall z, In z kept -> In z all) /\ (forall x, In x l -> exists z, In z all /\ lighter z x) /\ (forall z, In z all -> In z kept \/ In z l).
  Proof.
    assert (Hself : forall x, lighter x x) by (intros x; split; [lia|split; apply below_refl]).
    induction l as [|x l IH]; intros groups now under own kept Hgroups Hunder Hown; cbn [keep_rows]; [split; [auto|split; [intros x []|auto]]|].
    assert (Hentry : lists_kept (fields_of x) [(weight x, taken (spot_of x))] (x :: kept)).
    { intros y [<-|[]]. exists x. split; [left; reflexivity|]. split; [apply below_refl|auto]. }
    assert (Hcons : forall (k k' : list weighed_spot), (forall z, In z k -> In z k') /\ (forall y, In y l -> exists z, In z k' /\ lighter z y) /\ (forall z, In z k' -> In z k \/ In z l) ->
        forall w, (exists z, In z k' /\ lighter z x) -> (forall z, In z w -> In z k) -> (forall z, In z k -> In z w \/ z = x) ->
        (forall z, In z w -> In z k') /\ (forall y, In y (x :: l) -> exists z, In z k' /\ lighter z y) /\ (forall z, In z k' -> In z w \/ In z (x :: l))).
    { intros k k' (H1 & H2 & H3) w Hx Hw Hw'. split; [intros z Hz; apply H1, Hw, Hz|]. split.
      - intros y [<-|Hy]; [exact Hx|apply H2, Hy].
      - intros z Hz. destruct (H3 z Hz) as [H|H]; [destruct (Hw' z H) as [H'| ->]; [left; exact H'|right; left; reflexivity]|right; right; exact H]. }
    assert (Hmore : forall (groups : list (list Z * kept_list)), (forall g, In g groups -> lists_kept (fst g) (snd g) kept) -> forall g, In g groups -> lists_kept (fst g) (snd g) (x :: kept)).
    { intros gs H g Hg. apply lists_more, H, Hg. }
    assert (Hnext : forall groups', (forall g, In g groups' -> lists_kept (fst g) (snd g) kept) ->
        forall k, In k (map snd (filter (fun g => nowhere_above (fst g) (fields_of x)) groups')) -> lists_kept (fields_of x) k kept).
    { intros groups' H k Hk. apply in_map_iff in Hk as (g & <- & Hg). apply filter_In in Hg as [Hg Hb].
      intros y Hy. destruct (H g Hg y Hy) as (z & Hz & Hf & Hrest). exists z. split; [exact Hz|]. split; [apply (below_trans _ (fst g)); assumption|exact Hrest]. }
    assert (Hthen : forall groups', (forall g, In g groups' -> lists_kept (fst g) (snd g) kept) ->
      let under' := map snd (filter (fun g => nowhere_above (fst g) (fields_of x)) groups') in
      let all := if covers x under' [] then keep_rows l groups' (fields_of x) under' [] kept
        else keep_rows l groups' (fields_of x) under' [(weight x, taken (spot_of x))] (x :: kept) in
      (forall z, In z kept -> In z all) /\ (forall y, In y (x :: l) -> exists z, In z all /\ lighter z y) /\ (forall z, In z all -> In z kept \/ In z (x :: l))).
    { intros groups' Hgs under'. specialize (Hnext groups' Hgs). fold under' in Hnext. destruct (covers x under' []) eqn:E; cbv zeta.
      - pose proof (IH groups' (fields_of x) under' [] kept Hgs Hnext (fun y Hy => match Hy with end)) as H.
        apply (Hcons _ _ H); auto. destruct (covers_spec x under' [] kept Hnext (fun y Hy => match Hy with end) E) as (z & Hz & Hl).
        exists z. split; [apply H, Hz|exact Hl].
      - pose proof (IH groups' (fields_of x) under' _ (x :: kept) (Hmore groups' Hgs) (fun k Hk => lists_more _ _ _ _ (Hnext k Hk)) Hentry) as H.
        apply (Hcons _ _ H); [exists x; split; [apply H; left; reflexivity|apply Hself]|intros z Hz; right; exact Hz|].
        intros z [<-|Hz]; auto. }
    destruct (Key.order now (fields_of x)) eqn:E.
    - apply Key.order_eq in E. subst now. destruct (covers x under own) eqn:Ec.
      + pose proof (IH groups (fields_of x) under own kept Hgroups Hunder Hown) as H. apply (Hcons _ _ H); auto.
        destruct (covers_spec x under own kept Hunder Hown Ec) as (z & Hz & Hl). exists z. split; [apply H, Hz|exact Hl].
      + pose proof (IH groups (fields_of x) under ((weight x, taken (spot_of x)) :: own) (x :: kept) (Hmore groups Hgroups)
          (fun k Hk => lists_more _ _ _ _ (Hunder k Hk))) as H.
        assert (Hown' : lists_kept (fields_of x) ((weight x, taken (spot_of x)) :: own) (x :: kept)).
        { intros y [<-|Hy]; [apply Hentry; left; reflexivity|apply (lists_more _ _ _ x Hown y Hy)]. }
        specialize (H Hown'). apply (Hcons _ _ H); [exists x; split; [apply H; left; reflexivity|apply Hself]|intros z Hz; right; exact Hz|].
        intros z [<-|Hz]; auto.
    - apply Hthen. intros g [<-|Hg]; [cbn [fst snd]; intros y Hy; apply Hown, (proj1 (in_rev' own y)), Hy|apply Hgroups, Hg].
    - apply Hthen. intros g [<-|Hg]; [cbn [fst snd]; intros y Hy; apply Hown, (proj1 (in_rev' own y)), Hy|apply Hgroups, Hg].
  Qed.

  Lemma needed_spec t l : (forall x, In x l -> exists z, In z (needed t qs l) /\ no_worse_spot t z x) /\ (forall z, In z (needed t qs l) -> In z l).
  Proof.
    unfold needed. set (k := merge_sorted by_fields _).
    assert (Hk : forall x, In x k <-> In x (map (weigh t qs) l)) by (intros x; unfold k; rewrite in_in_turn; apply in_collected).
    destruct (keep_rows_spec k [] [] [] [] []) as (_ & H2 & H3); [intros g []|intros g []|intros g []|].
    assert (Hall : forall z, In z (rev' (fold_left (fun found x => spot_of x :: found) (merge_sorted by_weight (rev' (keep_rows k [] [] [] [] []))) []))
        <-> In z (map spot_of (keep_rows k [] [] [] [] []))).
    { intros z. rewrite in_collected, !in_map_iff. split; intros (y & Ey & Hy); exists y; (split; [exact Ey|]); [rewrite in_in_turn, in_rev' in Hy|rewrite in_in_turn, in_rev']; exact Hy. }
    split.
    - intros x Hx. destruct (H2 (weigh t qs x)) as (z & Hz & Hw & Hf & Ht); [apply Hk, in_map, Hx|].
      destruct (H3 z Hz) as [[]|Hin]. apply Hk, in_map_iff in Hin as (y & <- & Hy). exists y. split.
      + apply Hall, in_map_iff. exists (weigh t qs y). auto.
      + cbn [weigh weight fields_of spot_of] in *. split; [exact Hw|split; assumption].
    - intros z Hz. apply Hall, in_map_iff in Hz as (y & <- & Hy). destruct (H3 y Hy) as [[]|Hin].
      apply Hk, in_map_iff in Hin as (x & <- & Hx). exact Hx.
  Qed.

  (* --- The search --- *)

  Context {V : Type} (outputs low limit : Z) (view : Z -> V) (hopeful : V -> spot -> bool) (Hord : orderly (-1) 0 qs).
  Context (Hhope : forall t x ss, 1 <= t -> right_spot t x -> may_follow M t qs x ss -> busy_after (Z.max A t) (still x ++ future qs ss) ->
    whole_cost qs x ss + outputs < low -> hopeful (view t) x = true).

  Lemma look_on_keeps t ahead x : forall ys found, (fst found = true -> fst (fold_left (look_on A outputs low hopeful t ahead x) ys found) = true) /\
    (forall z, In z (snd found) -> In z (snd (fold_left (look_on A outputs low hopeful t ahead x) ys found))).
  Proof.
    induction ys as [|y ys IH]; intros found; [auto|]. cbn [fold_left].
    destruct (IH (look_on A outputs low hopeful t ahead x found y)) as [H1 H2].
    assert (H : (fst found = true -> fst (look_on A outputs low hopeful t ahead x found y) = true) /\
      (forall z, In z (snd found) -> In z (snd (look_on A outputs low hopeful t ahead x found y)))).
    { unfold look_on. destruct (idle_choice A t y); [auto|]. cbv zeta. destruct (finished _); cbn [fst snd].
      - split; [intros ->; reflexivity|auto].
      - destruct (hopeful _ _); cbn [fst snd]; [split; [auto|intros z Hz; right; exact Hz]|auto]. }
    destruct H as [H3 H4]. split; [intros H; apply H1, H3, H|intros z Hz; apply H2, H4, Hz].
  Qed.

  Lemma look_on_finds t ahead x : forall ys found y, In y ys -> idle_choice A t y = false ->
    let x' := followed t x y in let all := fold_left (look_on A outputs low hopeful t ahead x) ys found in
    (finished x' = true -> begun x' + outputs < low -> fst all = true) /\
    (finished x' = false -> hopeful ahead x' = true -> In x' (snd all)).
  Proof.
    induction ys as [|y0 ys IH]; intros found y Hy Hidle x' all; [destruct Hy|].
    destruct Hy as [->|Hy]; [|apply (IH _ y Hy Hidle)].
    destruct (look_on_keeps t ahead x ys (look_on A outputs low hopeful t ahead x found y)) as [H1 H2]. unfold all. cbn [fold_left].
    split; intros Hf Hg; [apply H1|apply H2]; unfold look_on; rewrite Hidle; fold x'; cbv zeta; rewrite Hf.
    - cbn [fst]. replace (begun x' + outputs <? low) with true by lia. apply orb_true_r.
    - rewrite Hg. left. reflexivity.
  Qed.

  Lemma look_on_only t ahead x : forall ys found z, In z (snd (fold_left (look_on A outputs low hopeful t ahead x) ys found)) ->
    In z (snd found) \/ exists y, In y ys /\ z = followed t x y /\ finished z = false.
  Proof.
    induction ys as [|y ys IH]; intros found z Hz; [left; exact Hz|]. cbn [fold_left] in Hz.
    destruct (IH _ _ Hz) as [H|(y' & Hy' & H)]; [|right; exists y'; split; [right; exact Hy'|exact H]].
    unfold look_on in H. destruct (idle_choice A t y); [left; exact H|]. cbv zeta in H. destruct (finished (followed t x y)) eqn:Ef; [left; exact H|].
    destruct (hopeful _ _); cbn [snd] in H; [|left; exact H]. destruct H as [<-|H]; [|left; exact H].
    right. exists y. split; [left; reflexivity|auto].
  Qed.

  Definition from_spot (t : Z) (found : bool * list spot) (x : spot) : bool * list spot :=
    fold_left (look_on A outputs low hopeful t (view (t + 1)) x) (rev' (choose M t 0 (map shape qs) (queues x) [Partly [] (taken x) []])) found.

  Lemma next_spots_find t : forall l found x y, In x l -> In y (choose M t 0 (map shape qs) (queues x) [Partly [] (taken x) []]) ->
    idle_choice A t y = false ->
    let x' := followed t x y in let all := fold_left (from_spot t) l found in
    (finished x' = true -> begun x' + outputs < low -> fst all = true) /\
    (finished x' = false -> hopeful (view (t + 1)) x' = true -> In x' (snd all)).
  Proof.
    assert (Hkeep : forall t l found, (fst found = true -> fst (fold_left (from_spot t) l found) = true) /\
        (forall z, In z (snd found) -> In z (snd (fold_left (from_spot t) l found)))).
    { intros t' l. induction l as [|a l IH]; intros found; [auto|]. cbn [fold_left]. destruct (IH (from_spot t' found a)) as [H1 H2].
      destruct (look_on_keeps t' (view (t' + 1)) a (rev' (choose M t' 0 (map shape qs) (queues a) [Partly [] (taken a) []])) found) as [H3 H4].
      split; [intros H; apply H1, H3, H|intros z Hz; apply H2, H4, Hz]. }
    induction l as [|a l IH]; intros found x y Hx Hy Hidle x' all; [destruct Hx|].
    destruct Hx as [->|Hx]; [|apply (IH _ x y Hx Hy Hidle)]. unfold all. cbn [fold_left].
    destruct (look_on_finds t (view (t + 1)) x (rev' (choose M t 0 (map shape qs) (queues x) [Partly [] (taken x) []])) found y (proj2 (in_rev' _ y) Hy) Hidle) as [H1 H2]. destruct (Hkeep t l (from_spot t found x)) as [H3 H4].
    split; intros Hf Hg; [apply H3, H1; assumption|apply H4, H2; assumption].
  Qed.

  Lemma next_spots_only t : forall l found z, In z (snd (fold_left (from_spot t) l found)) -> In z (snd found) \/
    exists x y, In x l /\ In y (choose M t 0 (map shape qs) (queues x) [Partly [] (taken x) []]) /\ z = followed t x y /\ finished z = false.
  Proof.
    induction l as [|a l IH]; intros found z Hz; [left; exact Hz|]. cbn [fold_left] in Hz.
    destruct (IH _ _ Hz) as [H|(x & y & Hx & H)]; [|right; exists x, y; split; [right; exact Hx|exact H]].
    apply look_on_only in H as [H|(y & Hy & H)]; [left; exact H|]. apply (proj1 (in_rev' _ y)) in Hy. right. exists a, y. split; [left; reflexivity|auto].
  Qed.

  Lemma unfinished_later t x ss : finished x = false -> may_follow M t qs x ss -> right_spot t x -> exists a, In a (future qs ss) /\ t <= start a.
  Proof.
    intros Hf (Hserved & _) (Hq & _). unfold finished in Hf.
    assert (Hlen : length (queues x) = length qs) by (unfold qs; rewrite map_length; symmetry; apply (forall2_same_length _ _ _ Hq)).
    revert Hlen Hf Hserved. generalize (queues x), qs. clear. intros Qs ks Hlen Hf H. revert ks Hlen Hf.
    induction H as [|Q s Qs ss [Hrel Hge] H IH]; intros [|q ks] Hlen Hf; cbn [length forallb] in *; try discriminate.
    cbn [future]. destruct Q as [|y Q].
    - cbn [is_nil andb] in Hf. destruct (IH ks ltac:(lia) Hf) as (a & Ha & Hta). exists a. split; [apply in_or_app; right; exact Ha|exact Hta].
    - inversion Hrel as [|? p ? s' Hp Hs]. subst. inversion Hge. subst. exists (Attempt q p). split; [left; reflexivity|assumption].
  Qed.

  Lemma finished_cost x ss t : finished x = true -> may_follow M t qs x ss -> whole_cost qs x ss = begun x.
  Proof.
    intros Hf (Hserved & _). unfold whole_cost. assert (total start (future qs ss) = 0); [|lia].
    unfold finished in Hf. revert Hf. generalize qs. clear -Hserved. induction Hserved as [|Q s Qs ss [Hrel _] H IH]; intros [|q ks] Hf; try reflexivity.
    cbn [forallb] in Hf. apply andb_true_iff in Hf as [HQ Hf]. destruct Q; [|discriminate]. inversion Hrel. subst. cbn [future map app]. apply IH, Hf.
  Qed.

  Lemma nothing_cheaper_sound : forall fuel t l n, 0 <= t -> nothing_cheaper M A outputs low limit qs view hopeful fuel t l n = true ->
    (forall x, In x l -> right_spot t x /\ finished x = false) ->
    forall x ss, In x l -> may_follow M t qs x ss -> low <= whole_cost qs x ss + outputs.
  Proof.
    induction fuel as [|fuel IH]; intros t l n Ht Hnone Hright x ss Hx Hgo; [destruct l; [destruct Hx|discriminate]|].
    destruct (Z.le_gt_cases low (whole_cost qs x ss + outputs)) as [|Hless]; [assumption|exfalso].
    destruct (Hright x Hx) as [Hspot Hunf].
    (* it may be in order, without idle rounds *)
    destruct (settled t x Ht Hspot _ ss (le_n _) Hgo) as (ss1 & Hgo1 & Hbusy1 & Hcost1).
    destruct (goes_on_ordered t x ss1 Hspot Hgo1) as (ss2 & Hgo2 & Hasc & Hperm).
    assert (Hcost2 : whole_cost qs x ss2 + outputs < low).
    { unfold whole_cost in *. rewrite <- (total_permutation start _ _ Hperm). lia. }
    assert (Hrun : t < A \/ exists a, In a (still x ++ future qs ss2) /\ runs a (t + 1) = true).
    { destruct (Z.lt_ge_cases t A) as [|HAt]; [left; assumption|right].
      destruct (unfinished_later t x ss1 Hunf Hgo1 Hspot) as (a & Ha & Hta).
      destruct (Hbusy1 (t + 1)) as (b & Hb & Hrun); [lia| |].
      - exists a. split; [apply in_or_app; right; exact Ha|]. unfold completion.
        destruct (goes_on_valid t x ss1 Hspot Hgo1 Ht a) as [[_ Ho] _]; [apply in_or_app; right; exact Ha|]. lia.
      - exists b. split; [|exact Hrun]. apply in_app_or in Hb as [Hb|Hb]; apply in_or_app; [left; exact Hb|right].
        apply (Permutation_in _ Hperm Hb). }
    destruct (one_round t x ss2 Hspot Hgo2 Hasc Hrun) as (y & Hy & Hidle & Hgo3 & Hcost3).
    set (x' := followed t x y) in *. set (ss3 := map (later_part t) ss2) in *.
    assert (Hright' : forall x y, In x l -> In y (choose M t 0 (map shape qs) (queues x) [Partly [] (taken x) []]) -> right_spot (t + 1) (followed t x y)).
    { intros x0 y0 Hx0 Hy0. destruct (Hright x0 Hx0) as [(Hq & Ha & Hp) _].
      apply followed_right with (n := 0 + Z.of_nat (length (queues x0))); [split; [exact Hq|split; assumption]|].
      rewrite <- (app_nil_r (rev specs)), <- (app_nil_r (rev (queues x0))).
      apply (choose_right t x0 specs (queues x0) [Partly [] (taken x0) []] 0 [] [] Hq) with (z := y0).
      - intros s Hs. apply in_map, Hs.
      - apply first_choice, Hp.
      - exact Hy0. }
    cbn [nothing_cheaper] in Hnone. destruct l as [|x1 l1] eqn:El; [destruct Hx|]. rewrite <- El in *.
    destruct (next_spots M A outputs low qs view hopeful t l) as [cheaper following] eqn:E.
    assert (E' : fold_left (from_spot t) l (false, []) = (cheaper, following)) by exact E.
    apply andb_true_iff in Hnone as [Hstop Hnone]. apply negb_true_iff, orb_false_iff in Hstop as [-> _].
    destruct (next_spots_find t l (false, []) x y Hx Hy Hidle) as [Hfin Hfound]. rewrite E' in Hfin, Hfound. cbn [fst snd] in Hfin, Hfound. fold x' in Hfin, Hfound.
    destruct (finished x') eqn:Ef.
    - rewrite (finished_cost x' ss3 (t + 1) Ef Hgo3) in Hcost3. specialize (Hfin eq_refl ltac:(lia)). discriminate.
    - assert (Hspot' : right_spot (t + 1) x') by (apply (Hright' x y); assumption).
      destruct (settled (t + 1) x' ltac:(lia) Hspot' _ ss3 (le_n _) Hgo3) as (ss4 & Hgo4 & Hbusy4 & Hcost4).
      assert (Hin : In x' following).
      { apply Hfound; [reflexivity|]. apply (Hhope (t + 1) x' ss4); auto; [lia|]. unfold whole_cost in *. lia. }
      destruct (needed_spec (t + 1) (rev' following)) as [Hkept Honly].
      destruct (Hkept x') as (z & Hz & Hbeside); [unfold rev'; rewrite <- rev_alt, <- in_rev; exact Hin|].
      assert (Hall : forall z, In z (needed (t + 1) qs (rev' following)) -> right_spot (t + 1) z /\ finished z = false).
      { intros z' Hz'. apply Honly in Hz'. unfold rev' in Hz'. rewrite <- rev_alt, <- in_rev in Hz'.
        destruct (next_spots_only t l (false, []) z') as [[]|(x2 & y2 & Hx2 & Hy2 & -> & Hf2)]; [rewrite E'; exact Hz'|].
        split; [apply Hright'; assumption|exact Hf2]. }
      destruct (superfluous (t + 1) z x' ss3 Hord (proj1 (Hall z Hz)) Hspot' Hbeside Hgo3) as (ss5 & Hgo5 & Hcost5).
      specialize (IH (t + 1) _ _ ltac:(lia) Hnone Hall z ss5 Hz Hgo5). lia.
  Qed.
End Spots.
