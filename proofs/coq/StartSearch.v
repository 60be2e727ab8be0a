(* A search through time over what has started, for the rule "dominance" (lemma 8 and theorem 9 of release_times.md).

   A spot is what a search knows of a schedule at a time: the sum of the starts so far, who has yet to start, by release,
   and the runs that go on.  What can follow from it are starts of those who have yet to start.  If something can follow at a
   small cost, then it can from one of the next spots, and from those that are kept of them. *)

From Coq Require Import ZArith List Lia Bool Permutation FMapPositive.
From Kvopt Require Import Model Sums Staircase Completions Prices Paths Types Vectors Exhaustive.
Import ListNotations.
Open Scope Z_scope.

(* --- Spots ------------------------------------------------------------------------------- *)

(* A request, and its dual in each of the sets. *)
Record item := Item { who : request; worths : vector Z }.
Definition run : Type := attempt * vector Z.

(* The sum of the starts; of each shape those who have yet to start; the memory that runs use in coming rounds, and
   the runs. *)
Record spot := Spot { begun : Z; queues : list (list item); taken : list Z; active : list run }.

(* A choice of starts at a time, for some of the shapes, the last one first. *)
Record partly := Partly { done : list (list item); used : list Z; news : list run }.

(* One, two, ... more of a shape start, as long as they are released and fit. *)
Fixpoint begin_some (M t : Z) (s : list Z) (done : list (list item)) (used : list Z) (news : list run) (Q : list item) : list partly :=
  match Q with
  | [] => []
  | x :: Q' =>
      if release (who x) <=? t then
        let used' := add used s in
        if small M used' then
          let news' := (Attempt (who x) t, worths x) :: news in
          Partly (Q' :: done) used' news' :: begin_some M t s done used' news' Q'
        else []
      else []
  end.

Fixpoint choose (M t : Z) (shapes : list (list Z)) (Qs : list (list item)) (found : list partly) : list partly :=
  match shapes, Qs with
  | s :: shapes', Q :: Qs' =>
      choose M t shapes' Qs'
        (map (fun y => Partly (Q :: done y) (used y) (news y)) found
          ++ flat_map (fun y => begin_some M t s (done y) (used y) (news y) Q) found)
  | _, _ => found
  end.

(* The spot one round later. *)
Definition followed (t : Z) (x : spot) (y : partly) : spot :=
  Spot (begun x + t * Z.of_nat (length (news y))) (rev' (done y)) (tl (used y))
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
Fixpoint below (p p' : list Z) : bool :=
  match p, p' with
  | [], _ => true
  | x :: r, y :: r' => (x <=? y) && below r r'
  | _, _ => false
  end.

(* What is compared: the sum of starts with all who wait starting now, and the fields. *)
Record weighed := Weighed { weight : Z; fields_of : list Z; spot_of : spot }.
Definition weigh (t : Z) (qs : list request) (x : spot) : weighed :=
  Weighed (begun x + t * total (ready_of t) (queues x)) (waiting_fields t (-1) 0 qs (queues x)) x.

(* The order of numbers whose digits these are, the last one the highest. *)
Fixpoint order_back (x y : list Z) : comparison :=
  match x, y with
  | [], [] => Eq
  | [], _ => Lt
  | _, [] => Gt
  | a :: x', b :: y' => match order_back x' y' with Eq => a ?= b | c => c end
  end.
Definition not_after (x y : weighed) : bool :=
  match weight x ?= weight y with
  | Lt => true
  | Gt => false
  | Eq =>
      match order_back (fields_of x) (fields_of y) with
      | Lt => true
      | Gt => false
      | Eq => match order_back (taken (spot_of x)) (taken (spot_of y)) with Gt => false | _ => true end
      end
  end.

Fixpoint merged (l : list weighed) : list weighed -> list weighed -> list weighed :=
  fix go (l' found : list weighed) : list weighed :=
    match l, l' with
    | [], _ => rev_append found l'
    | _, [] => rev_append found l
    | x :: r, y :: r' => if not_after x y then merged r l' (x :: found) else go r' (y :: found)
    end.
Fixpoint merge_pairs (ls found : list (list weighed)) : list (list weighed) :=
  match ls with
  | a :: b :: rest => merge_pairs rest (merged a b [] :: found)
  | [a] => rev' (a :: found)
  | [] => rev' found
  end.
Fixpoint merge_all (fuel : nat) (ls : list (list weighed)) : list weighed :=
  match ls, fuel with
  | [], _ => []
  | [a], _ => a
  | _, S fuel' => merge_all fuel' (merge_pairs ls [])
  | _, O => concat ls
  end.

(* Of those kept, by their fields: what they cost, and their profiles. *)
Definition kept_group : Type := list Z * list (Z * list Z).
Definition covered (x : weighed) (groups : list kept_group) : bool :=
  existsb (fun g => below (fst g) (fields_of x)
    && existsb (fun y => (fst y <=? weight x) && below (snd y) (taken (spot_of x))) (snd g)) groups.
Fixpoint put_group (x : weighed) (groups : list kept_group) : list kept_group :=
  match groups with
  | [] => [(fields_of x, [(weight x, taken (spot_of x))])]
  | g :: rest =>
      match order_back (fst g) (fields_of x) with
      | Eq => (fst g, snd g ++ [(weight x, taken (spot_of x))]) :: rest
      | _ => g :: put_group x rest
      end
  end.
Fixpoint keep_needed (l : list weighed) (groups : list kept_group) (kept : list spot) : list spot :=
  match l with
  | [] => rev' kept
  | x :: rest => if covered x groups then keep_needed rest groups kept else keep_needed rest (put_group x groups) (spot_of x :: kept)
  end.

Definition needed (t : Z) (qs : list request) (l : list spot) : list spot :=
  keep_needed (merge_all (Z.to_nat 64) (map (fun x => [weigh t qs x]) l)) [] [].

(* --- The search -------------------------------------------------------------------------- *)

Section Search.
  (* The sum of all outputs; the bound; which spots at a time may go on below it. *)
  Context (M A outputs low limit : Z) (qs : list request) (hopeful : Z -> spot -> bool).
  Let shapes := map shape qs.

  Definition finished (x : spot) : bool := forallb is_nil (queues x).

  (* Whether a schedule that costs less is found, and spots that may go on, the last one first. *)
  Definition look_on (t : Z) (x : spot) (found : bool * list spot) (y : partly) : bool * list spot :=
    if idle_choice A t y then found
    else
      let x' := followed t x y in
      if finished x' then (fst found || (begun x' + outputs <? low), snd found)
      else if hopeful (t + 1) x' then (fst found, x' :: snd found)
      else found.
  Definition next_spots (t : Z) (l : list spot) : bool * list spot :=
    fold_left (fun found x => fold_left (look_on t x) (choose M t shapes (queues x) [Partly [] (taken x) []]) found) l (false, []).

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

Definition served (t : Z) (Q : list item) (s : list Z) : Prop :=
  Forall2 (fun x p => release (who x) <= p) Q s /\ Forall (fun p => t <= p) s.

Definition still (x : spot) : list attempt := map fst (active x).
Definition goes_on (M t : Z) (qs : list request) (x : spot) (ss : list (list Z)) : Prop :=
  Forall2 (served t) (queues x) ss /\ forall r, t < r -> memory (still x) r + memory (future qs ss) r <= M.
Definition whole_cost (qs : list request) (x : spot) (ss : list (list Z)) : Z := begun x + total start (future qs ss).

Definition coming (t : Z) (Q : list item) : list item := filter (fun x => t <? release (who x)) Q.
Fixpoint rising (Q : list item) : Prop :=
  match Q with x :: rest => (forall y, In y rest -> release (who x) <= release (who y)) /\ rising rest | [] => True end.

Lemma rev_forall2 {A B : Type} (R : A -> B -> Prop) l l' : Forall2 R l l' -> Forall2 R (rev l) (rev l').
Proof.
  induction 1 as [|x y l l' H _ IH]; [constructor|]. cbn [rev]. apply Forall2_app; [exact IH|]. constructor; [exact H|constructor].
Qed.

Lemma weaker_forall2 {A B : Type} (R R' : A -> B -> Prop) l l' : (forall x y, R x y -> R' x y) -> Forall2 R l l' -> Forall2 R' l l'.
Proof. intros H. induction 1; constructor; auto. Qed.

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

(* Shapes with all requests of each. *)
Definition spec : Type := request * list item.

Section Spots.
  Context (M A : Z) (specs : list spec) (good : item -> Prop).
  Let qs := map fst specs.
  Context (Hqs : forall q, In q qs -> 0 <= prompt q /\ 1 <= output q /\ release q = 0) (HA : 0 <= A).

  Definition right_item (q : request) (x : item) : Prop := at_zero (who x) = q /\ 0 <= release (who x) /\ good x.
  Definition right_queue (t : Z) (s : spec) (Q : list item) : Prop :=
    (forall x, In x Q -> right_item (fst s) x) /\ rising Q /\ coming t Q = coming t (snd s).
  Definition right_run (t : Z) (y : run) : Prop :=
    In (at_zero (of (fst y))) qs /\ 0 <= release (of (fst y)) <= start (fst y) /\ start (fst y) < t < completion (fst y)
    /\ good (Item (of (fst y)) (snd y)).
  Definition right_spot (t : Z) (x : spot) : Prop :=
    Forall2 (right_queue t) specs (queues x) /\ (forall y, In y (active x) -> right_run t y) /\
    forall j, nth j (taken x) 0 = memory (still x) (t + 1 + Z.of_nat j).

  (* A choice for some of the shapes. *)
  Definition right_new (t : Z) (y : run) : Prop :=
    In (at_zero (of (fst y))) qs /\ 0 <= release (of (fst y)) <= t /\ start (fst y) = t /\ good (Item (of (fst y)) (snd y)).
  Definition right_partly (t : Z) (x : spot) (ss : list spec) (y : partly) : Prop :=
    Forall2 (right_queue t) ss (done y) /\ (forall a, In a (news y) -> right_new t a) /\
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

  Lemma begin_right t x s ss : In (fst s) qs -> forall Q done used news,
    right_queue t s Q -> right_partly t x ss (Partly done used news) ->
    forall z, In z (begin_some M t (shape (fst s)) done used news Q) -> right_partly t x (s :: ss) z.
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
    - split; [|split]; cbn [done news used]; auto.
    - apply (IH _ _ _ HQ') in Hz; [exact Hz|]. split; [|split]; assumption.
  Qed.

  Lemma choose_right t x : forall ss Qs found before, Forall2 (right_queue t) ss Qs -> (forall s, In s ss -> In (fst s) qs) ->
    (forall y, In y found -> right_partly t x before y) ->
    forall z, In z (choose M t (map shape (map fst ss)) Qs found) -> right_partly t x (rev ss ++ before) z.
  Proof.
    intros ss Qs found before H. revert found before. induction H as [|s Q ss Qs HQ H IH]; intros found before Hss Hfound z Hz.
    - cbn [map choose] in Hz. apply Hfound, Hz.
    - cbn [map choose] in Hz. cbn [rev]. rewrite <- app_assoc. apply IH with (before := s :: before) in Hz; [exact Hz| |].
      + intros s' Hs'. apply Hss. right. exact Hs'.
      + intros y Hy. apply in_app_or in Hy as [Hy|Hy].
        * apply in_map_iff in Hy as (y0 & <- & Hy). destruct (Hfound y0 Hy) as (H1 & H2 & H3).
          split; [|split]; cbn [done news used]; auto.
        * apply in_flat_map in Hy as (y0 & Hy0 & Hy). destruct y0 as [d u n]. cbn [done used news] in Hy.
          apply (begin_right t x s before (Hss s (or_introl eq_refl)) Q d u n HQ (Hfound _ Hy0) y Hy).
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

  Lemma followed_right t x y : right_spot t x -> right_partly t x (rev specs) y -> right_spot (t + 1) (followed t x y).
  Proof.
    intros (Hq & Ha & Hp) (Hd & Hn & Hu). unfold followed, right_spot. cbn [queues active taken].
    assert (Hall : forall z, In z (news y ++ active x) -> In (at_zero (of (fst z))) qs).
    { intros z Hz. apply in_app_or in Hz as [Hz|Hz]; [apply (Hn z Hz)|apply (Ha z Hz)]. }
    split; [|split].
    - unfold rev'. rewrite <- rev_alt. apply rev_forall2 in Hd. rewrite rev_involutive in Hd.
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

  Lemma begin_found t q : 0 <= prompt q -> 1 <= output q -> forall c Q done used news, (c <= length Q)%nat ->
    (forall x, In x (firstn c Q) -> at_zero (who x) = at_zero q /\ release (who x) <= t) ->
    (forall j, nth j used 0 + Z.of_nat c * nth j (shape q) 0 <= M) ->
    exists u n, In (Partly (skipn c Q :: done) u n) (Partly (Q :: done) used news :: begin_some M t (shape q) done used news Q) /\
      (forall j, nth j u 0 = nth j used 0 + Z.of_nat c * nth j (shape q) 0) /\
      (forall r, memory (map fst n) r = memory (map fst news) r + Z.of_nat c * use (Attempt q t) r) /\
      length n = (c + length news)%nat.
  Proof.
    intros Hp Ho. assert (Hpos : forall j, 0 <= nth j (shape q) 0).
    { intros j. rewrite nth_shape by exact Ho. destruct (_ <? _); lia. }
    induction c as [|c IH]; intros Q done0 used0 news0 Hc Hready Hfit.
    - exists used0, news0. cbn [skipn Nat.add]. split; [left; reflexivity|]. repeat split; intros; lia.
    - destruct Q as [|x Q]; [cbn [length] in Hc; lia|]. cbn [firstn skipn length] in *.
      destruct (Hready x (or_introl eq_refl)) as [Hx Hr].
      destruct (IH Q done0 (add used0 (shape q)) ((Attempt (who x) t, worths x) :: news0)) as (u & n & Hin & Hu & Hm & Hn).
      + lia.
      + intros y Hy. apply Hready. right. exact Hy.
      + intros j. rewrite nth_add. specialize (Hfit j). specialize (Hpos j). lia.
      + exists u, n. split; [|split; [|split]].
        * right. cbn [begin_some]. replace (release (who x) <=? t) with true by lia. rewrite small_spec; [exact Hin|].
          intros j. rewrite nth_add. specialize (Hfit j). specialize (Hpos j). nia.
        * intros j. rewrite Hu, nth_add. lia.
        * intros r. rewrite Hm. cbn [map fst]. unfold memory at 1. cbn [total]. rewrite (use_at_zero (who x)), Hx, <- use_at_zero.
          unfold memory. lia.
        * rewrite Hn. cbn [length]. lia.
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
    Forall2 (served t) Qs sts -> Forall ascending sts -> forall found y, In y found ->
    (forall j, nth j (used y) 0 + memory (future (map fst ss) (map (at_once_part t) sts)) (t + 1 + Z.of_nat j) <= M) ->
    exists z skips, In z (choose M t (map shape (map fst ss)) Qs found) /\ done z = rev skips ++ done y /\
      Forall2 (served (t + 1)) skips (map (later_part t) sts) /\
      (forall j, nth j (used z) 0 = nth j (used y) 0 + memory (future (map fst ss) (map (at_once_part t) sts)) (t + 1 + Z.of_nat j)) /\
      (forall r, memory (map fst (news z)) r = memory (map fst (news y)) r + memory (future (map fst ss) (map (at_once_part t) sts)) r) /\
      t * Z.of_nat (length (news z)) + total start (future (map fst ss) (map (later_part t) sts))
        = t * Z.of_nat (length (news y)) + total start (future (map fst ss) sts).
  Proof.
    induction 1 as [|s Q ss Qs HQ HQs IH]; intros sts Hss Hserved Hasc found y Hy Hfit.
    - inversion Hserved. subst. exists y, []. cbn [map choose rev app future total]. unfold memory. cbn [total].
      repeat split; auto; intros; lia.
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
      destruct (begin_found t (fst s) Hp Ho c Q (done y) (used y) (news y) Hlen) as (u & n & Hin & Hu & Hm & Hn).
      + intros x Hx. split.
        * assert (Hx' : In x Q) by (rewrite <- (firstn_skipn c Q); apply in_or_app; left; exact Hx).
          destruct (proj1 HQ x Hx') as (-> & _). unfold at_zero. destruct (fst s) as [s0 o0 a0]. cbn [release] in Hz. subst. reflexivity.
        * clear -Hfirst Hx Hsame. revert Hsame. induction Hfirst as [|a p l l' Hap Hl IH]; intros Hsame; [destruct Hx|].
          destruct Hx as [<-|Hx]; [rewrite <- (Hsame p (or_introl eq_refl)); exact Hap|].
          apply IH; [exact Hx|]. intros p' Hp'. apply Hsame. right. exact Hp'.
      + intros j. specialize (Hfit j). rewrite memory_app, Hnow in Hfit. specialize (Hpos j). lia.
      + destruct (IH sts' (fun s' Hs' => Hss s' (or_intror Hs')) Hserved' Hasc'
          (map (fun y => Partly (Q :: done y) (used y) (news y)) found
            ++ flat_map (fun y => begin_some M t (shape (fst s)) (done y) (used y) (news y) Q) found)
          (Partly (skipn c Q :: done y) u n)) as (z & skips & Hz' & Hd & Hsk & Hu' & Hm' & Hc).
        * apply in_or_app. destruct Hin as [Hin|Hin]; [left; apply in_map_iff; exists y; split; [exact Hin|exact Hy]|].
          right. apply in_flat_map. exists y. split; assumption.
        * intros j. cbn [used]. rewrite Hu. specialize (Hfit j). rewrite memory_app, Hnow in Hfit. lia.
        * exists z, (skipn c Q :: skips). cbn [done used news rev] in *. split; [exact Hz'|].
          split; [rewrite Hd, <- app_assoc; reflexivity|]. split; [|split; [|split]].
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

  Lemma one_round t x ss : right_spot t x -> goes_on M t qs x ss -> Forall ascending ss ->
    (t < A \/ exists a, In a (still x ++ future qs ss) /\ runs a (t + 1) = true) ->
    exists y, In y (choose M t (map shape qs) (queues x) [Partly [] (taken x) []]) /\ idle_choice A t y = false /\
      goes_on M (t + 1) qs (followed t x y) (map (later_part t) ss) /\
      whole_cost qs (followed t x y) (map (later_part t) ss) = whole_cost qs x ss.
  Proof.
    intros (Hq & Ha & Hp) (Hserved & Hfits) Hasc Hrun.
    assert (Hpos : forall q, In q qs -> 0 <= prompt q) by (intros q H; apply Hqs, H).
    destruct (choose_found t specs (queues x) Hq ss) with (found := [Partly [] (taken x) []]) (y := Partly [] (taken x) [])
      as (z & skips & Hz & Hd & Hsk & Hu & Hm & Hc).
    - intros s Hs. apply in_map, Hs.
    - exact Hserved.
    - exact Hasc.
    - left. reflexivity.
    - intros j. cbn [used]. rewrite Hp. fold qs. specialize (Hfits (t + 1 + Z.of_nat j) ltac:(lia)).
      rewrite (split_memory t) in Hfits by exact Hasc.
      pose proof (proj1 (future_nonneg t qs ss (t + 1 + Z.of_nat j) Hpos)). lia.
    - fold qs in Hu, Hm, Hc, Hz. cbn [done used news length map] in *. rewrite app_nil_r in Hd.
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
        * unfold followed. cbn [queues]. unfold rev'. rewrite <- rev_alt, Hd, rev_involutive. exact Hsk.
        * intros r Hr. unfold followed, still at 1. cbn [active]. rewrite memory_ended.
          -- rewrite map_app, memory_app, Hm. specialize (Hfits r ltac:(lia)). rewrite (split_memory t) in Hfits by exact Hasc.
             change (map fst (active x)) with (still x). change (memory [] r) with 0. lia.
          -- lia.
          -- (* all are of these shapes *)
             intros y Hy. destruct (choose_right t x specs (queues x) [Partly [] (taken x) []] [] Hq) with (z := z) as (_ & Hnew & _).
             { intros s Hs. apply in_map, Hs. }
             { intros y' [<-|[]]. split; [constructor|]. split; [intros a []|]. cbn [used news map app]. exact Hp. }
             { exact Hz. }
             apply in_valid. apply in_app_or in Hy as [Hy|Hy]; [apply (Hnew y Hy)|apply (Ha y Hy)].
      + unfold whole_cost, followed. cbn [begun]. lia.
  Qed.
End Spots.
