(* The rule "demand-duals" of FORMAT.md: cheapest paths through profiles (demand_duals.md).

   If w are the duals of the demands, D times the sum of the completion times is the sum of the
   w of all requests, plus what their starts cost at D (t + o) - w.  From the time H on no start
   costs less than 0.  Before, a schedule goes from profile to profile, and any numbers that fit
   may start.

   `explore` finds the profiles; nothing is proved about it.  `graph_ok` then checks that
   whatever fits leads from profiles with a number to profiles with a number. *)

From Coq Require Import ZArith List Lia Bool Permutation FMapPositive.
From Kvopt Require Import Model Sums Staircase Prices Area PathCheck Types Keys Exhaustive.
Import ListNotations.
Open Scope Z_scope.

(* Profiles with their numbers, and numbers with their profiles. *)
Definition numbers := KeyMap.t positive.
Definition profiles := PositiveMap.t (list Z).

(* An edge: how many of each type start, and the number of the profile after the round. *)
Definition edge : Type := list Z * positive.
Definition graph := PositiveMap.t (list Z * (bool * list edge)).

(* PositiveMap.map, without rebuilding the keys. *)
Fixpoint map_tree {A B : Type} (f : A -> B) (m : PositiveMap.t A) : PositiveMap.t B :=
  match m with
  | PositiveMap.Leaf _ => PositiveMap.Leaf _
  | PositiveMap.Node low x high =>
      PositiveMap.Node (map_tree f low) (option_map f x) (map_tree f high)
  end.

(* --- Finding the profiles (nothing is proved about it) ------------------------------------ *)

(* The number of the n-th profile, such that those of later ones are near in the tree. *)
Fixpoint near (bits : nat) (n : Z) : positive :=
  match bits with
  | O => xH
  | S bits' => let half := 2 ^ Z.of_nat bits' in
      if half <=? n then xI (near bits' (n - half)) else xO (near bits' n)
  end.

Definition meet (x : numbers * (profiles * (Z * list (list Z)))) (choice : list Z * list Z) :
    numbers * (profiles * (Z * list (list Z))) :=
  let '(N, (P, (next, todo))) := x in
  let p := tl (snd choice) in
  match KeyMap.find p N with
  | Some _ => x
  | None => let i := near 23 next in
      (KeyMap.add p i N, (PositiveMap.add i p P, (next + 1, p :: todo)))
  end.

Fixpoint explore (M : Z) (shapes : list (list Z)) (ws : list Z) (fuel : nat)
    (x : numbers * (profiles * (Z * list (list Z)))) : numbers * profiles :=
  let '(N, (P, (next, todo))) := x in
  match fuel, todo with
  | S fuel', p :: todo' =>
      explore M shapes ws fuel' (fold_left meet (choices M shapes ws p) (N, (P, (next, todo'))))
  | _, _ => (N, P)
  end.

Definition max_profiles : Z := 5000000.
Definition max_entries : Z := 100000000.  (* in all profiles together *)
Definition max_values : Z := 200000000.  (* profiles times rounds *)

(* --- The check --------------------------------------------------------------------------- *)

(* The edges of a profile, and whether none leads to a profile without number. *)
Definition edges_of (M : Z) (shapes : list (list Z)) (ws : list Z) (N : numbers) (p : list Z) :
    bool * list edge :=
  fold_right (fun choice found =>
      match KeyMap.find (tl (snd choice)) N with
      | Some j => (fst found, (less ws (fst choice), j) :: snd found)
      | None => (false, snd found)
      end)
    (true, []) (choices M shapes ws p).

Definition make_graph (M : Z) (shapes : list (list Z)) (ws : list Z) (N : numbers) (P : profiles) : graph :=
  map_tree (fun p => (p, edges_of M shapes ws N p)) P.

(* Every number belongs to its profile, and no edge is missing. *)
Definition graph_ok (N : numbers) (E : graph) : bool :=
  forallb (fun x => match PositiveMap.find (snd x) E with
      | Some (p, (ok, _)) => ok && (if Key.eq_dec p (fst x) then true else false)
      | None => false
      end) (KeyMap.elements N).

Fixpoint dot (xs ys : list Z) : Z :=
  match xs, ys with
  | x :: xs', y :: ys' => x * y + dot xs' ys'
  | _, _ => 0
  end.

Definition least_of (l : list Z) : Z :=
  match l with [] => 0 | x :: rest => fold_left Z.min rest x end.

Definition value_at (V : PositiveMap.t Z) (i : positive) : Z :=
  match PositiveMap.find i V with Some v => v | None => 0 end.

(* What starts at time t cost. *)
Definition start_costs (D : Z) (w : request -> Z) (kinds : list request) (t : Z) : list Z :=
  map (fun q => D * (t + output q) - w q) kinds.

(* The costs of the cheapest paths on from all profiles, n rounds before H, at time t. *)
Fixpoint values (D : Z) (w : request -> Z) (kinds : list request) (E : graph) (n : nat) (t : Z) :
    PositiveMap.t Z :=
  match n with
  | O => map_tree (fun _ => 0) E
  | S n' =>
      let after := values D w kinds E n' (t + 1) in
      let costs := start_costs D w kinds t in
      map_tree (fun x => least_of
        (map (fun e => dot (fst e) costs + value_at after (snd e)) (snd (snd x)))) E
  end.

(* From H on no start costs less than 0. *)
Definition last_time (D : Z) (w : request -> Z) (kinds : list request) : Z :=
  latest (map (fun q => ceil_div (w q - D * output q) D) kinds).

Definition max_rounds : Z := 100000.

Definition demand_bound (M D : Z) (duals types : list (request * Z)) : option Z :=
  let kinds := map fst types in
  let w := worth_of duals in
  let shapes := map shape kinds in
  let ws := map (fun _ => M) kinds in
  let H := last_time D w kinds in
  if (1 <=? M) && (1 <=? D) && (H <=? max_rounds)
    && forallb (fun x => (0 <=? prompt (fst x)) && (1 <=? output (fst x))
         && (release (fst x) =? 0) && (0 <=? snd x)) types
    && distinct kinds
  then
    let (N, P) := explore M shapes ws (Z.to_nat (Z.min max_profiles (max_entries / (1 + latest (map output kinds)))))
      (KeyMap.add [] (near 23 0) (KeyMap.empty _),
        (PositiveMap.add (near 23 0) [] (PositiveMap.empty _), (1, [[]]))) in
    let E := make_graph M shapes ws N P in
    match KeyMap.find [] N with
    | Some root =>
        if (Z.of_nat (KeyMap.cardinal N) * H <=? max_values) && graph_ok N E
        then Some (ceil_div (total (fun x => snd x * w (fst x)) types
          + value_at (values D w kinds E (Z.to_nat H) 0) root) D)
        else None
    | None => None
    end
  else None.

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma least_of_le l x : In x l -> least_of l <= x.
Proof.
  assert (H : forall l y, fold_left Z.min l y <= y /\ forall z, In z l -> fold_left Z.min l y <= z).
  { induction l0 as [|a l0 IH]; intros y; cbn [fold_left]; [split; [lia|intros z []]|].
    destruct (IH (Z.min y a)) as [H1 H2]. split; [lia|]. intros z [->|Hz]; [lia|]. apply H2, Hz. }
  destruct l as [|a l]; [intros []|]. cbn [least_of]. destruct (H l a) as [H1 H2].
  intros [->|Hx]; [exact H1|apply H2, Hx].
Qed.

Lemma find_map {A B : Type} (f : A -> B) m i :
  PositiveMap.find i (map_tree f m) = option_map f (PositiveMap.find i m).
Proof.
  revert m. induction i as [i IH|i IH|]; intros [|low x high]; cbn [map_tree PositiveMap.find];
    try reflexivity; apply IH.
Qed.

Lemma edges_of_spec M shapes ws N p : fst (edges_of M shapes ws N p) = true ->
  forall choice, In choice (choices M shapes ws p) ->
  exists j, KeyMap.find (tl (snd choice)) N = Some j /\
    In (less ws (fst choice), j) (snd (edges_of M shapes ws N p)).
Proof.
  unfold edges_of. induction (choices M shapes ws p) as [|x l IH]; intros Hok choice Hin; [destruct Hin|].
  cbn [fold_right] in *. destruct (KeyMap.find (tl (snd x)) N) as [j|] eqn:E; [|discriminate].
  cbn [fst snd] in *. destruct Hin as [<-|Hin].
  - exists j. split; [exact E|left; reflexivity].
  - destruct (IH Hok choice Hin) as (j' & H1 & H2). exists j'. split; [exact H1|right; exact H2].
Qed.

Lemma less_less ws cs : length ws = length cs -> less ws (less ws cs) = cs.
Proof.
  revert cs. induction ws as [|w ws IH]; intros [|c cs] H; try discriminate; [reflexivity|].
  cbn [less]. f_equal; [lia|]. apply IH. simpl in H. lia.
Qed.

Section Paths.
  Context (M : Z) (kinds : list request) (l : list attempt).
  Context (Hdist : distinct kinds = true) (Hzero : at_once kinds)
    (Hkinds : forall q, In q kinds -> valid_request q).
  Context (Hvalid : forall a, In a l -> valid a) (Hfits : fits M l).
  Context (Hin : forall a, In a l -> In (of a) kinds).
  Context (D : Z) (w : request -> Z) (N : numbers) (P : profiles).
  Let shapes := map shape kinds.
  Let ws := map (fun _ : request => M) kinds.
  Let E := make_graph M shapes ws N P.
  Context (Hok : graph_ok N E = true).

  Definition reduced (a : attempt) : Z := D * completion a - w (of a).

  (* What the starts before time t cost. *)
  Definition cost_before (t : Z) : Z := total (fun a => if start a <? t then reduced a else 0) l.

  Lemma starting_fits t : Forall2 (fun c w => 0 <= c <= w) (C kinds l t) ws.
  Proof.
    unfold C, ws, counts_of.
    assert (H : forall q, 0 <= count q (map of (now_starting l t)) <= M).
    { intros q. split; [apply count_nonneg|].
      eapply Z.le_trans; [|apply (Hfits (t + 1))]. unfold count, now_starting, memory.
      rewrite total_map, total_filter. apply total_le. intros a Ha.
      destruct (Hvalid a Ha) as [[Hs Ho] _]. pose proof (use_nonneg a (t + 1) (Hvalid a Ha)) as Huse.
      destruct (Z.eqb_spec (start a) t) as [Et|]; [|exact Huse].
      unfold use, completion. destruct (Z.ltb_spec (start a) (t + 1)); [|lia].
      destruct (Z.leb_spec (t + 1) (start a + output (of a))); [|lia]. cbn [andb].
      destruct (same q (of a)); lia. }
    generalize kinds as ks. induction ks as [|k ks IH]; cbn [map]; constructor; auto.
  Qed.

  Lemma dot_costs t :
    dot (C kinds l t) (start_costs D w kinds t)
    = total (fun a => if start a =? t then reduced a else 0) l.
  Proof.
    assert (Hdot : forall ks cs, dot cs (start_costs D w ks t) =
        total (fun x : request * Z => snd x * (D * (t + output (fst x)) - w (fst x))) (combine ks cs)).
    { induction ks as [|k ks IH]; intros [|c cs]; cbn [start_costs map dot combine total]; try reflexivity.
      fold (start_costs D w ks t). rewrite IH. reflexivity. }
    rewrite Hdot. unfold C.
    rewrite <- (total_expand (fun q => D * (t + output q) - w q)).
    2:{ intros [q n] Hx. apply in_combine_r in Hx. apply (counts_nonneg _ _ _ Hx). }
    rewrite <- (total_permutation _ _ _
      (some_types kinds l Hdist Hzero Hin (fun a => start a =? t))).
    rewrite total_map, total_filter. apply total_ext. intros a _. unfold reduced, completion.
    destruct (Z.eqb_spec (start a) t) as [->|]; reflexivity.
  Qed.

  (* The profile at time t has a number, and going on from it costs no more than V0 asks. *)
  Definition on_path (V0 : Z) (n : nat) (t : Z) : Prop :=
    exists p i, KeyMap.find p N = Some i /\ (forall j, nth j p 0 = load l t j) /\
      V0 <= cost_before t + value_at (values D w kinds E n t) i.

  Lemma number_spec p i : KeyMap.find p N = Some i ->
    PositiveMap.find i E = Some (p, edges_of M shapes ws N p) /\ fst (edges_of M shapes ws N p) = true.
  Proof.
    intros H. unfold graph_ok in Hok. rewrite forallb_forall in Hok.
    specialize (Hok _ (find_elements _ _ _ H)). cbn [fst snd] in Hok.
    unfold E, make_graph in *. rewrite find_map in *.
    destruct (PositiveMap.find i P) as [p'|]; [|discriminate]. cbn [option_map] in *.
    destruct (edges_of M shapes ws N p') as [ok es] eqn:Ee. apply andb_true_iff in Hok as [Ho Hp].
    destruct (Key.eq_dec p' p) as [Heq|]; [|discriminate]. unfold Key.eq in Heq. subst p'.
    rewrite Ee. auto.
  Qed.

  Lemma on_path_step V0 n t : 0 <= t -> on_path V0 (S n) t -> on_path V0 n (t + 1).
  Proof.
    intros Ht (p & i & Hfind & Hp & Hle).
    destruct (number_spec p i Hfind) as [HE Hedges].
    destruct (choices_in M shapes) with (ws := ws) (cs := C kinds l t) (used := p) as (u & Hu & Hnth).
    - intros s j Hs. apply in_map_iff in Hs as (q & <- & Hq). destruct (Hkinds q Hq) as [Hpr _].
      unfold shape. rewrite nth_count_on. destruct (_ <? _); lia.
    - unfold ws, shapes. rewrite !map_length. reflexivity.
    - apply starting_fits.
    - intros j. rewrite Hp. unfold shapes.
      rewrite (load_step kinds l Hdist Hzero Hvalid Hin). apply (load_fits M l Hvalid Hfits).
    - destruct (edges_of_spec _ _ _ _ _ Hedges _ Hu) as (j & Hj & Hedge). cbn [fst snd] in *.
      rewrite less_less in Hedge by (unfold ws, C, counts_of; rewrite !map_length; reflexivity).
      exists (tl u), j. split; [exact Hj|]. split.
      + intros k. assert (Hk : nth k (tl u) 0 = nth (S k) u 0) by (destruct u; destruct k; reflexivity).
        rewrite Hk, Hnth, Hp. unfold shapes. rewrite (load_step kinds l Hdist Hzero Hvalid Hin).
        unfold load. apply total_ext. intros a _.
        replace (t + 1 + Z.of_nat (S k)) with (t + 1 + 1 + Z.of_nat k) by lia. reflexivity.
      + eapply Z.le_trans; [exact Hle|]. unfold value_at at 1. cbn [values].
        unfold edge in HE. rewrite find_map, HE. cbn [option_map snd].
        set (after := values D w kinds E n (t + 1)).
        assert (Hmin : least_of (map (fun e => dot (fst e) (start_costs D w kinds t) + value_at after (snd e))
            (snd (edges_of M shapes ws N p))) <= dot (C kinds l t) (start_costs D w kinds t) + value_at after j).
        { apply least_of_le. apply in_map_iff. exists (C kinds l t, j). auto. }
        rewrite dot_costs in Hmin.
        assert (Hsum : cost_before (t + 1) = cost_before t + total (fun a => if start a =? t then reduced a else 0) l).
        { unfold cost_before. rewrite <- total_add. apply total_ext. intros a _.
          destruct (Z.ltb_spec (start a) (t + 1)), (Z.ltb_spec (start a) t), (Z.eqb_spec (start a) t); lia. }
        rewrite Hsum, <- Z.add_assoc. apply Z.add_le_mono_l. exact Hmin.
  Qed.

  Lemma whole_path root H : KeyMap.find [] N = Some root -> 0 <= H ->
    (forall a, In a l -> H <= start a -> 0 <= reduced a) ->
    value_at (values D w kinds E (Z.to_nat H) 0) root <= total reduced l.
  Proof.
    intros Hroot HH Hlate. set (V0 := value_at _ root).
    assert (Hall : forall k, (k <= Z.to_nat H)%nat -> on_path V0 (Z.to_nat H - k) (Z.of_nat k)).
    { induction k as [|k IH]; intros Hk.
      - rewrite Nat.sub_0_r. exists [], root. split; [exact Hroot|]. split.
        + intros j. unfold load. rewrite (total_ext _ (fun _ => 0)).
          * rewrite total_const. destruct j; reflexivity.
          * intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. destruct (Z.ltb_spec (start a) (Z.of_nat 0)); [lia|reflexivity].
        + assert (E0 : cost_before (Z.of_nat 0) = 0).
          { unfold cost_before. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
            intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. destruct (Z.ltb_spec (start a) (Z.of_nat 0)); [lia|reflexivity]. }
          rewrite E0. unfold V0. cbn [Z.of_nat]. lia.
      - rewrite Nat2Z.inj_succ. apply on_path_step; [lia|].
        replace (S (Z.to_nat H - S k)) with (Z.to_nat H - k)%nat by lia. apply IH. lia. }
    destruct (Hall (Z.to_nat H) (le_n _)) as (p & i & Hfind & _ & Hle).
    rewrite Nat.sub_diag in Hle. cbn [values] in Hle. unfold value_at in Hle.
    destruct (number_spec p i Hfind) as [HE _]. rewrite find_map, HE in Hle. cbn [option_map] in Hle.
    assert (cost_before (Z.of_nat (Z.to_nat H)) <= total reduced l); [|lia].
    apply total_le. intros a Ha. destruct (Z.ltb_spec (start a) (Z.of_nat (Z.to_nat H))); [lia|].
    apply Hlate; [exact Ha|lia].
  Qed.
End Paths.

(* The rule "demand-duals": whatever the duals are, what is returned is at most the cost of
   every schedule of these requests. *)
Theorem demand_sound M D duals types result requests l :
  demand_bound M D duals types = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold demand_bound. set (kinds := map fst types). set (w := worth_of duals).
  set (H := last_time D w kinds). intros Hresult Hperm Hl.
  destruct ((1 <=? M) && _ && _ && _ && _) eqn:Hok; [|discriminate].
  apply andb_true_iff in Hok as [Hok Hdist]. apply andb_true_iff in Hok as [Hok Htypes].
  apply andb_true_iff in Hok as [Hok _]. apply andb_true_iff in Hok as [HM HD].
  rewrite forallb_forall in Htypes.
  destruct (explore _ _ _ _ _) as [N P].
  destruct (KeyMap.find [] N) as [root|] eqn:Hroot; [|discriminate].
  destruct (_ && graph_ok _ _) eqn:Hgraph; [|discriminate].
  apply andb_true_iff in Hgraph as [_ Hgraph].
  assert (Hcounts : forall x, In x types -> 0 <= snd x).
  { intros y Hy. specialize (Htypes y Hy). lia. }
  assert (Hzero : at_once kinds).
  { intros q Hq. apply in_map_iff in Hq as (y & <- & Hy). specialize (Htypes y Hy). lia. }
  assert (Hkinds : forall q, In q kinds -> valid_request q).
  { intros q Hq. apply in_map_iff in Hq as (y & <- & Hy). specialize (Htypes y Hy). split; lia. }
  assert (Hrz : at_once requests).
  { apply (at_once_expand types); [|exact Hperm]. intros y Hy. specialize (Htypes y Hy). lia. }
  rewrite (cost_at_once M requests l Hl Hrz). pose proof Hl as (Hof & Hvalid & Hfits).
  rewrite Forall_forall in Hvalid.
  assert (Hin : forall a, In a l -> In (of a) kinds).
  { intros a Ha. assert (Hq : In (of a) requests) by (rewrite <- Hof; apply in_map, Ha).
    apply (Permutation_in _ Hperm) in Hq. apply in_expand in Hq as (n & Hq).
    apply in_map_iff. exists (of a, n). auto. }
  assert (HH : 0 <= H) by apply latest_nonneg.
  pose proof (whole_path M kinds l Hdist Hzero Hkinds Hvalid Hfits Hin D w N P Hgraph root H Hroot HH) as Hpath.
  specialize (Hpath ltac:(intros a Ha Hlate; unfold reduced, completion;
    assert (Hlast : ceil_div (w (of a) - D * output (of a)) D <= H)
      by (apply latest_ge, in_map_iff; exists (of a); auto);
    unfold ceil_div in Hlast;
    pose proof (Z.mul_succ_div_gt (- (w (of a) - D * output (of a))) D ltac:(lia));
    pose proof (Z.mul_div_le (- (w (of a) - D * output (of a))) D ltac:(lia)); nia)).
  assert (Hsum : total (reduced D w) l + total (fun x => snd x * w (fst x)) types = D * completions l).
  { rewrite <- (total_expand w types Hcounts), <- (total_permutation w _ _ Hperm), <- Hof, total_map.
    unfold completions. rewrite <- total_add, <- total_scale. apply total_ext. intros a _.
    unfold reduced. lia. }
  inversion Hresult. unfold ceil_div.
  set (V := value_at _ root) in *.
  set (B := total (fun x => snd x * w (fst x)) types + V).
  assert (- completions l <= - B / D); [|lia]. apply Z.div_le_lower_bound; [lia|]. unfold B. lia.
Qed.
