(* The rule "event-order" of FORMAT.md: a tree of what runs at completions, and rows of starts at its
   leaves.  Theorems 7 and 11 of event_order.md. *)

From Coq Require Import ZArith List Lia Bool Permutation FMapPositive.
From Kvopt Require Import Model Sums Staircase Area Prices Types BusyTime StartRows Heads Propagation ConvexCosts.
Import ListNotations.
Open Scope Z_scope.

(* --- Trees ------------------------------------------------------------------------------- *)

(* The rows of a leaf.  Another kind is a case here and in `row_of`, and one in `row_of_holds`.  Prices are no rows of
   starts (ConvexCosts.v). *)
Inductive event_row :=
  | GapRow (a b : positive)
  | EndRow (i : positive)
  | MemoryRow (j : positive) (running : list positive)
  | AreaRow (e : Z) (chosen : list positive)
  | CoverRow (m e : Z) (chosen : list positive)
  | PriceRow (k : Z).

(* A leaf with its rows and their multipliers; what k does at the completion of j; and whether i
   starts by t, or later. *)
Inductive event_tree :=
  | EventLeaf (rows : list (Z * event_row))
  | AtCompletion (k j : positive) (before running after : event_tree)
  | StartBy (i : positive) (t : Z) (early late : event_tree).

(* What the decisions above a node say.  `gaps` has (b, d) for a, if p_b - p_a >= d, the largest d;
   `states` has for j each k that is decided at its completion, and whether it runs; `starts_by` the
   least t of p_i <= t; `heads` are no more than the starts, and None if the part is empty. *)
Record tree_path := TreePath {
  gaps : PositiveMap.t (list (positive * Z));
  states : PositiveMap.t (PositiveMap.t bool);
  starts_by : PositiveMap.t Z;
  heads : option (PositiveMap.t Z)
}.

(* A request, its area, and its moment. *)
Definition facts : Type := request * (Z * Z).
Definition facts_of (q : request) : facts := (q, (area q, token_moment q)).
Definition nobody : facts := (Request 0 0, (0, 0)).

(* --- Paths ------------------------------------------------------------------------------- *)

Fixpoint gap_to (b : positive) (from : list (positive * Z)) : option Z :=
  match from with
  | [] => None
  | (b', d) :: rest => if Pos.eqb b b' then Some d else gap_to b rest
  end.
Fixpoint set_gap (b : positive) (d : Z) (from : list (positive * Z)) : list (positive * Z) :=
  match from with
  | [] => [(b, d)]
  | (b', d') :: rest => if Pos.eqb b b' then (b, d) :: rest else (b', d') :: set_gap b d rest
  end.

(* The same with p_b - p_a >= d. *)
Definition add_gap (rounds : nat) (a b : positive) (d : Z) (P : tree_path) : tree_path :=
  let from := look [] a (gaps P) in
  if match gap_to b from with Some d' => d <=? d' | None => false end then P
  else
    let g := PositiveMap.add a (set_gap b d from) (gaps P) in
    TreePath g (states P) (starts_by P)
      (raise_head rounds g b (match heads P with Some h => look 0 a h + d | None => 0 end) (heads P)).

Definition set_state (k j : positive) (runs : bool) (P : tree_path) : tree_path :=
  TreePath (gaps P)
    (PositiveMap.add j (PositiveMap.add k runs (look (PositiveMap.empty bool) j (states P))) (states P))
    (starts_by P) (heads P).

(* The three parts of k at the completion of j; their outputs. *)
Definition before_part (n : nat) (k j : positive) (o_k o_j : Z) (P : tree_path) : tree_path :=
  add_gap n k j (o_k - o_j + 1) (set_state k j false P).
Definition running_part (n : nat) (k j : positive) (o_k o_j : Z) (P : tree_path) : tree_path :=
  add_gap n j k (o_j - o_k) (add_gap n k j (1 - o_j) (set_state k j true P)).
Definition after_part (n : nat) (k j : positive) (o_j : Z) (P : tree_path) : tree_path :=
  add_gap n j k o_j (set_state k j false P).

(* The two parts of i and t. *)
Definition early_part (i : positive) (t : Z) (P : tree_path) : tree_path :=
  TreePath (gaps P) (states P) (PositiveMap.add i (Z.min t (look t i (starts_by P))) (starts_by P)) (heads P).
Definition late_part (n : nat) (i : positive) (t : Z) (P : tree_path) : tree_path :=
  TreePath (gaps P) (states P) (starts_by P) (raise_head n (gaps P) i (t + 1) (heads P)).

(* Requests that are alike start in their order: a gap from each to the next. *)
Definition alike (q q' : request) : bool := same q q' && (release q =? release q').
Fixpoint next_alike (q : request) (k : positive) (requests : list request) : option positive :=
  match requests with
  | [] => None
  | q' :: rest => if alike q q' then Some k else next_alike q (Pos.succ k) rest
  end.
Fixpoint alike_gaps (k : positive) (requests : list request) : PositiveMap.t (list (positive * Z)) :=
  match requests with
  | [] => PositiveMap.empty (list (positive * Z))
  | q :: rest =>
      match next_alike q (Pos.succ k) rest with
      | Some b => PositiveMap.add k [(b, 0)] (alike_gaps (Pos.succ k) rest)
      | None => alike_gaps (Pos.succ k) rest
      end
  end.
Definition root_path (requests : list request) : tree_path :=
  TreePath (alike_gaps 1 requests) (PositiveMap.empty (PositiveMap.t bool)) (PositiveMap.empty Z)
    (Some (table_from 1 (map release requests))).

(* --- Leaves and trees -------------------------------------------------------------------- *)

Definition some_each_once (l : list positive) : bool :=
  negb (length l =? 0)%nat && each_once (PositiveMap.empty unit) l.

(* Those that are named for an area have their heads at e, or later. *)
Definition late_enough (T : PositiveMap.t facts) (P : tree_path) (e : Z) (chosen : list positive) : bool :=
  some_each_once chosen && (0 <=? e)
  && forallb (fun k => match PositiveMap.find k T with
       | Some _ => match heads P with Some h => e <=? look 0 k h | None => true end
       | None => false
       end) chosen.

(* The smallest prompt, which M never is. *)
Definition least_prompt (M : Z) (T : PositiveMap.t facts) : Z :=
  PositiveMap.fold (fun _ x s => Z.min (prompt (fst x)) s) T M.

(* A cover of level m uses 1 in each of the first rounds of a run, as many as its window has. *)
Definition cover_weight (M s_min m : Z) (q : request) (x : Z) : Z := if x <=? window M s_min m q then 1 else 0.

Definition row_of (M : Z) (T : PositiveMap.t facts) (P : tree_path) (x : event_row) : option start_row :=
  match x with
  | GapRow a b =>
      match gap_to b (look [] a (gaps P)) with
      | Some d => Some (StartRow [(a, -1); (b, 1)] d)
      | None => None
      end
  | EndRow i =>
      match PositiveMap.find i (starts_by P) with
      | Some t => Some (StartRow [(i, -1)] (- t))
      | None => None
      end
  | MemoryRow j running =>
      let runs := look (PositiveMap.empty bool) j (states P) in
      if some_each_once running && forallb (fun k => look false k runs) running then
        let q := fst (look nobody j T) in
        Some (StartRow ((j, - Z.of_nat (length running)) :: map (fun k => (k, 1)) running)
          (prompt q + output q - M + total (fun k => prompt (fst (look nobody k T)) + output q) running))
      else None
  | AreaRow e chosen =>
      if late_enough T P e chosen then
        let found := map (fun k => (k, snd (look nobody k T))) chosen in
        Some (StartRow (map (fun x => (fst x, fst (snd x))) found)
          (filled M (total (fun x => fst (snd x)) found) e - total (fun x => snd (snd x)) found))
      else None
  | CoverRow m e chosen =>
      if (1 <=? m) && late_enough T P e chosen then
        let s_min := least_prompt M T in
        let found := map (fun k => (k, window M s_min m (fst (look nobody k T)))) chosen in
        Some (StartRow found
          (filled m (total (fun x => snd x) found) e - total (fun x => snd x * (snd x + 1) / 2) found))
      else None
  | PriceRow _ => None
  end.

Definition is_price (x : event_row) : bool := match x with PriceRow _ => true | _ => false end.

(* The prices of a leaf with their multipliers, all among those of the proof. *)
Fixpoint charges_of (costs : list convex_costs) (rows : list (Z * event_row)) : option (list (Z * convex_costs)) :=
  match rows with
  | [] => Some []
  | (y, PriceRow k) :: rest =>
      match (if (0 <=? y) && (0 <=? k) then nth_error costs (Z.to_nat k) else None), charges_of costs rest with
      | Some x, Some found => Some ((y, x) :: found)
      | _, _ => None
      end
  | _ :: rest => charges_of costs rest
  end.

Fixpoint rows_of_leaf (M : Z) (T : PositiveMap.t facts) (P : tree_path) (rows : list (Z * event_row)) :
    option (list (Z * start_row)) :=
  match rows with
  | [] => Some []
  | (y, x) :: rest =>
      match (if 0 <=? y then row_of M T P x else None), rows_of_leaf M T P rest with
      | Some r, Some found => Some ((y, r) :: found)
      | _, _ => None
      end
  end.

(* A bound on the sum of the starts; Some None if the part is empty. *)
Definition event_leaf (M scale : Z) (costs : list convex_costs) (T : PositiveMap.t facts) (names : list positive)
    (P : tree_path) (rows : list (Z * event_row)) : option (option Z) :=
  match rows_of_leaf M T P (filter (fun x => negb (is_price (snd x))) rows), charges_of costs rows with
  | Some found, Some charged =>
      match heads P with
      | Some h =>
          let (c, value) := add_rows found (PositiveMap.empty Z) 0 in
          match (match charged with [] => rows_value scale names h c value | _ => priced_value scale names h c value charged end) with
          | Some b => Some (Some b)
          | None => None
          end
      | None => Some None
      end
  | _, _ => None
  end.

(* The least bound of two parts. *)
Definition lesser (x y : option Z) : option Z :=
  match x, y with
  | Some a, Some b => Some (Z.min a b)
  | Some a, None => Some a
  | None, _ => y
  end.

Fixpoint event_bound (M scale : Z) (costs : list convex_costs) (T : PositiveMap.t facts) (names : list positive)
    (P : tree_path) (t : event_tree) : option (option Z) :=
  match t with
  | EventLeaf rows => event_leaf M scale costs T names P rows
  | AtCompletion k j before running after =>
      match PositiveMap.find k T, PositiveMap.find j T,
            PositiveMap.find k (look (PositiveMap.empty bool) j (states P)) with
      | Some (q, _), Some (q', _), None =>
          if Pos.eqb k j then None
          else
            let n := length names in
            let bound := event_bound M scale costs T names in
            match bound (before_part n k j (output q) (output q') P) before with
            | None => None
            | Some x =>
                match bound (running_part n k j (output q) (output q') P) running with
                | None => None
                | Some y =>
                    match bound (after_part n k j (output q') P) after with
                    | None => None
                    | Some z => Some (lesser x (lesser y z))
                    end
                end
            end
      | _, _, _ => None
      end
  | StartBy i t early late =>
      match PositiveMap.find i T with
      | Some _ =>
          match event_bound M scale costs T names (early_part i t P) early with
          | None => None
          | Some x =>
              match event_bound M scale costs T names (late_part (length names) i t P) late with
              | None => None
              | Some y => Some (lesser x y)
              end
          end
      | None => None
      end
  end.

(* The bound on the total latency of the requests, which are named in their order. *)
Definition events_bound (M scale : Z) (prices : list node_duals) (requests : list request) (t : event_tree) : option Z :=
  if 1 <=? scale then
    match all_costs M requests prices with
    | Some costs =>
        match event_bound M scale costs (table_from 1 (map facts_of requests)) (names_from 1 requests)
                (root_path requests) t with
        | Some (Some b) => Some (b + total (fun q => output q - release q) requests)
        | _ => None
        end
    | None => None
    end
  else None.

(* --- Lemma 2: requests that are alike ---------------------------------------------------- *)

Definition by_number (a b : attempt) : Prop := of a = of b -> start a <= start b.

(* The first of those like a, and the rest with a in their order. *)
Fixpoint put_by_number (a : attempt) (l : list attempt) : attempt * list attempt :=
  match l with
  | [] => (a, [])
  | b :: rest =>
      if request_dec (of a) (of b) then
        if start a <=? start b then (a, b :: rest)
        else let (c, rest') := put_by_number a rest in (b, c :: rest')
      else let (c, rest') := put_by_number a rest in (c, b :: rest')
  end.

Lemma put_by_number_spec a l : ForallOrdPairs by_number l ->
  forall c l', put_by_number a l = (c, l') ->
  of c = of a /\ map of l' = map of l /\ Permutation (a :: l) (c :: l') /\ ForallOrdPairs by_number (c :: l').
Proof.
  induction l as [|b l IH]; intros Hl c l' E; cbn [put_by_number] in E.
  - inversion E. subst. repeat split; auto. constructor; constructor.
  - inversion Hl as [|b' l0 Hb Hrest]. subst. destruct (request_dec (of a) (of b)) as [Hab|Hab].
    + destruct (Z.leb_spec (start a) (start b)) as [Hle|Hgt].
      * inversion E. subst. repeat split; auto. constructor; [|exact Hl]. constructor; [intros _; exact Hle|].
        rewrite Forall_forall in *. intros x Hx H. specialize (Hb x Hx). unfold by_number in Hb. rewrite <- Hab in Hb.
        specialize (Hb H). lia.
      * destruct (put_by_number a l) as [c' rest'] eqn:E'. inversion E. subst.
        destruct (IH Hrest _ _ eq_refl) as (H1 & H2 & H3 & H4).
        split; [congruence|]. split; [cbn [map]; congruence|]. split.
        { rewrite perm_swap. apply perm_skip, H3. }
        constructor; [|exact H4]. rewrite Forall_forall in *. intros x Hx.
        apply (Permutation_in _ (Permutation_sym H3)) in Hx. destruct Hx as [<-|Hx]; [intros _; lia|apply Hb, Hx].
    + destruct (put_by_number a l) as [c' rest'] eqn:E'. inversion E. subst.
      destruct (IH Hrest _ _ eq_refl) as (H1 & H2 & H3 & H4). inversion H4 as [|c'' l0 Hc Hrest']. subst.
      split; [exact H1|]. split; [cbn [map]; congruence|]. split.
      { rewrite perm_swap, (perm_swap b c rest'). apply perm_skip, H3. }
      constructor; [constructor; [intros H; congruence|exact Hc]|]. constructor; [|exact Hrest'].
      rewrite Forall_forall in *. intros x Hx.
      assert (Hx' : In x (a :: l)) by (apply (Permutation_in _ (Permutation_sym H3)); right; exact Hx).
      destruct Hx' as [<-|Hx']; [intros H; congruence|apply Hb, Hx'].
Qed.

(* Lemma 2 of event_order.md. *)
Lemma alike_by_number l : exists l', Permutation l l' /\ map of l' = map of l /\ ForallOrdPairs by_number l'.
Proof.
  induction l as [|a l (l' & Hperm & Hof & Hl)]; [exists []; repeat constructor|].
  destruct (put_by_number a l') as [c rest] eqn:E. destruct (put_by_number_spec a l' Hl _ _ E) as (H1 & H2 & H3 & H4).
  exists (c :: rest). split; [|split; [cbn [map]; congruence|exact H4]].
  rewrite <- H3. apply perm_skip, Hperm.
Qed.

Lemma schedule_by_number M requests l : schedule M requests l ->
  exists l', schedule M requests l' /\ cost l' = cost l /\ ForallOrdPairs by_number l'.
Proof.
  intros (Hof & Hvalid & Hfits). destruct (alike_by_number l) as (l' & Hperm & Hof' & Hl'). exists l'.
  split; [split; [congruence|split]|split; [|exact Hl']].
  - rewrite Forall_forall in *. intros a Ha. apply Hvalid, (Permutation_in _ (Permutation_sym Hperm)), Ha.
  - intros r. unfold memory. rewrite <- (total_permutation _ _ _ Hperm). apply Hfits.
  - apply total_permutation. symmetry. exact Hperm.
Qed.

(* --- Paths that hold --------------------------------------------------------------------- *)

(* Requests have names; the attempt of each. *)
Definition named (M : Z) (T : PositiveMap.t facts) (names : list positive) (A : positive -> attempt) : Prop :=
  NoDup names /\
  (forall k x, PositiveMap.find k T = Some x -> In k names /\ x = facts_of (of (A k))) /\
  (forall k, In k names -> valid (A k) /\ PositiveMap.find k T <> None) /\
  fits M (map A names).

Definition runs_at (A : positive -> attempt) (k j : positive) : Prop :=
  start (A k) < completion (A j) <= completion (A k).

Definition obeys (names : list positive) (A : positive -> attempt) (P : tree_path) : Prop :=
  (forall a b d, In (b, d) (look [] a (gaps P)) -> In a names /\ In b names) /\
  gaps_hold (fun k => start (A k)) (gaps P) /\
  (forall k j, look false k (look (PositiveMap.empty bool) j (states P)) = true ->
    In k names /\ In j names /\ k <> j /\ runs_at A k j) /\
  (forall i t, PositiveMap.find i (starts_by P) = Some t -> In i names /\ start (A i) <= t) /\
  heads_hold (fun k => start (A k)) (heads P).

Lemma in_set_gap b d from x : In x (set_gap b d from) -> x = (b, d) \/ In x from.
Proof.
  induction from as [|[b' d'] from IH]; cbn [set_gap]; [intros [<-|[]]; auto|].
  destruct (Pos.eqb b b'); intros [<-|H]; cbn [In]; auto. destruct (IH H); auto.
Qed.

Lemma in_gap_to b from d : gap_to b from = Some d -> In (b, d) from.
Proof.
  induction from as [|[b' d'] from IH]; cbn [gap_to]; [discriminate|].
  destruct (Pos.eqb_spec b b') as [->|_]; intros H; [inversion H; left; reflexivity|right; apply IH, H].
Qed.

Lemma add_gap_obeys names A n a b d P : obeys names A P -> In a names -> In b names ->
  d <= start (A b) - start (A a) -> obeys names A (add_gap n a b d P).
Proof.
  intros HP Ha Hb Hd. pose proof HP as (H1 & H2 & H3 & H4 & H5). unfold add_gap.
  destruct (match gap_to b (look [] a (gaps P)) with Some d' => d <=? d' | None => false end); [exact HP|].
  set (g := PositiveMap.add a _ (gaps P)).
  assert (Hin : forall a' b' d', In (b', d') (look [] a' g) ->
      (a', b', d') = (a, b, d) \/ In (b', d') (look [] a' (gaps P))).
  { intros a' b' d'. unfold g. destruct (Pos.eq_dec a' a) as [->|Hne].
    - rewrite look_same. intros H. apply in_set_gap in H as [H|H]; [left; congruence|right; exact H].
    - rewrite look_other by exact Hne. auto. }
  assert (Hg : gaps_hold (fun k => start (A k)) g).
  { intros a' b' d' H. apply Hin in H as [H|H]; [inversion H; subst; exact Hd|apply H2, H]. }
  split; [|split; [exact Hg|split; [exact H3|split; [exact H4|]]]].
  - intros a' b' d' H. apply Hin in H as [H|H]; [inversion H; subst; auto|apply (H1 _ _ _ H)].
  - cbn [heads]. apply raise_head_holds; [exact Hg|exact H5|]. destruct (heads P) as [h|]; [|destruct H5].
    specialize (H5 a). cbv beta in H5. lia.
Qed.

Lemma set_state_obeys names A k j (runs : bool) P : obeys names A P -> In k names -> In j names -> k <> j ->
  (if runs then runs_at A k j else True) -> obeys names A (set_state k j runs P).
Proof.
  intros (H1 & H2 & H3 & H4 & H5) Hk Hj Hkj Hruns. unfold set_state. split; [exact H1|]. split; [exact H2|].
  split; [|split; [exact H4|exact H5]]. cbn [states]. intros k' j'.
  destruct (Pos.eq_dec j' j) as [->|Hj']; [rewrite look_same|rewrite look_other by exact Hj'; apply H3].
  destruct (Pos.eq_dec k' k) as [->|Hk']; [rewrite look_same|rewrite look_other by exact Hk'; apply H3].
  intros ->. auto.
Qed.

(* Lemma 1 of event_order.md: one of three parts, and what it says. *)
Lemma three_parts names A n k j P : obeys names A P -> In k names -> In j names -> k <> j ->
  obeys names A (before_part n k j (output (of (A k))) (output (of (A j))) P) \/
  obeys names A (running_part n k j (output (of (A k))) (output (of (A j))) P) \/
  obeys names A (after_part n k j (output (of (A j))) P).
Proof.
  intros HP Hk Hj Hkj. unfold before_part, running_part, after_part.
  destruct (Z.lt_ge_cases (completion (A k)) (completion (A j))) as [H|H].
  - left. apply add_gap_obeys; auto; [apply set_state_obeys; auto|]. unfold completion in H. lia.
  - right. destruct (Z.lt_ge_cases (start (A k)) (completion (A j))) as [H'|H'].
    + left. apply add_gap_obeys; auto; [apply add_gap_obeys; auto|].
      * apply set_state_obeys; auto. split; assumption.
      * unfold completion in *. lia.
      * unfold completion in *. lia.
    + right. apply add_gap_obeys; auto; [apply set_state_obeys; auto|]. unfold completion in *. lia.
Qed.

Lemma two_parts names A n i t P : obeys names A P -> In i names ->
  obeys names A (early_part i t P) \/ obeys names A (late_part n i t P).
Proof.
  intros (H1 & H2 & H3 & H4 & H5) Hi. destruct (Z.le_gt_cases (start (A i)) t) as [H|H]; [left|right].
  - unfold early_part. repeat (split; [assumption|]). split; [|exact H5]. cbn [starts_by]. intros i' t'.
    destruct (Pos.eq_dec i' i) as [->|Hne]; [rewrite PositiveMap.gss|rewrite PositiveMap.gso by exact Hne; apply H4].
    intros E. inversion E. split; [exact Hi|]. unfold look.
    destruct (PositiveMap.find i (starts_by P)) as [t1|] eqn:Et; [|lia]. destruct (H4 i t1 Et). lia.
  - unfold late_part. repeat (split; [assumption|]). cbn [heads].
    apply raise_head_holds; [exact H2|exact H5|lia].
Qed.

(* --- Rows that hold ---------------------------------------------------------------------- *)

Lemma look_facts M T names A k : named M T names A -> In k names -> look nobody k T = facts_of (of (A k)).
Proof.
  intros (_ & HT & Hnames & _) Hk. unfold look. destruct (Hnames k Hk) as [_ H].
  destruct (PositiveMap.find k T) as [x|] eqn:E; [|contradiction]. apply (HT _ _ E).
Qed.

Lemma some_each_once_spec l : some_each_once l = true -> NoDup l.
Proof. unfold some_each_once. intros H. apply andb_true_iff in H as [_ H]. apply (each_once_spec _ _ H). Qed.

(* Lemma 3 of event_order.md. *)
Lemma memory_holds M T names A j running : named M T names A -> NoDup running -> In j names ->
  (forall k, In k running -> In k names /\ k <> j /\ runs_at A k j) ->
  prompt (of (A j)) + output (of (A j)) - M
    + total (fun k => prompt (of (A k)) + output (of (A j))) running <=
  total (fun k => start (A k)) running - Z.of_nat (length running) * start (A j).
Proof.
  intros (Hnd & _ & Hnames & Hfits) Hrunning Hj Hruns. pose proof (Hfits (completion (A j))) as Hmemory.
  unfold memory in Hmemory. rewrite total_map in Hmemory.
  assert (Hsum : total (fun k => use (A k) (completion (A j))) (j :: running) <=
      total (fun k => use (A k) (completion (A j))) names).
  { apply total_incl.
    - constructor; [|exact Hrunning]. intros H. destruct (Hruns j H) as (_ & H' & _). congruence.
    - intros k [<-|Hk]; [exact Hj|apply Hruns, Hk].
    - intros k Hk. apply use_nonneg, (Hnames k Hk). }
  cbn [total] in Hsum.
  assert (Hself : use (A j) (completion (A j)) = prompt (of (A j)) + output (of (A j))).
  { destruct (Hnames j Hj) as [[[_ Ho] _] _]. unfold use, completion in *.
    replace (start (A j) <? start (A j) + output (of (A j))) with true by lia. rewrite Z.leb_refl. cbn [andb]. lia. }
  rewrite (total_ext (fun k => use (A k) (completion (A j)))
    (fun k => prompt (of (A k)) + output (of (A j)) + (start (A j) + -1 * start (A k)))) in Hsum.
  - rewrite !total_add, total_scale, !total_const in *. lia.
  - intros k Hk. destruct (Hruns k Hk) as (_ & _ & Hk'). unfold runs_at in Hk'. unfold use.
    replace (start (A k) <? completion (A j)) with true by lia.
    replace (completion (A j) <=? completion (A k)) with true by lia. cbn [andb]. unfold completion. lia.
Qed.

(* Lemma 4 of event_order.md, for any weights w of which at most R run in a round. *)
Lemma weights_hold M T names A w R e chosen : named M T names A ->
  (forall k x, In k names -> 1 <= x <= output (of (A k)) -> 0 <= w (of (A k)) x) ->
  (forall r, total (fun k => weight w (A k) r) names <= R) ->
  NoDup chosen -> incl chosen names -> 0 <= e -> (forall k, In k chosen -> e <= start (A k)) ->
  filled R (total (fun k => whole w (of (A k))) chosen) e - total (fun k => first_moment w (of (A k))) chosen <=
  total (fun k => whole w (of (A k)) * start (A k)) chosen.
Proof.
  intros (Hnd & _ & Hnames & _) Hw HR Hchosen Hincl He Hstarts.
  assert (Hvalid : forall a, In a (map A chosen) -> valid a /\ e <= start a).
  { intros a Ha. apply in_map_iff in Ha as (k & <- & Hk). split; [apply Hnames, Hincl, Hk|apply Hstarts, Hk]. }
  pose proof (area_row w R e (map A chosen) He Hvalid) as H. rewrite !total_map, total_add in H.
  assert (filled R (total (fun k => whole w (of (A k))) chosen) e <=
    total (fun k => whole w (of (A k)) * start (A k)) chosen + total (fun k => first_moment w (of (A k))) chosen); [|lia].
  apply H.
  - intros a x Ha Hx. apply in_map_iff in Ha as (k & <- & Hk). apply Hw; [apply Hincl, Hk|exact Hx].
  - intros r. eapply Z.le_trans; [|apply (HR r)]. rewrite total_map.
    apply total_incl; [exact Hchosen|exact Hincl|]. intros k Hk. unfold weight, completion.
    destruct (Z.ltb_spec (start (A k)) r), (Z.leb_spec r (start (A k) + output (of (A k)))); cbn [andb]; try lia.
    apply Hw; [exact Hk|lia].
Qed.

(* The tokens of those that start at e or later. *)
Lemma areas_hold M T names A e chosen : named M T names A -> NoDup chosen -> incl chosen names -> 0 <= e ->
  (forall k, In k chosen -> e <= start (A k)) ->
  filled M (total (fun k => area (of (A k))) chosen) e - total (fun k => token_moment (of (A k))) chosen <=
  total (fun k => area (of (A k)) * start (A k)) chosen.
Proof.
  intros HA Hchosen Hincl He Hstarts. pose proof HA as (_ & _ & Hnames & Hfits).
  assert (Ho : forall k, In k chosen -> 0 <= output (of (A k))).
  { intros k Hk. destruct (Hnames k (Hincl k Hk)) as [[[_ Ho] _] _]. lia. }
  rewrite (total_ext (fun k => area (of (A k))) (fun k => whole run_tokens (of (A k))))
    by (intros k Hk; symmetry; apply run_tokens_area, Ho, Hk).
  rewrite (total_ext (fun k => area (of (A k)) * start (A k)) (fun k => whole run_tokens (of (A k)) * start (A k)))
    by (intros k Hk; rewrite run_tokens_area by apply Ho, Hk; reflexivity).
  rewrite (total_ext (fun k => token_moment (of (A k))) (fun k => first_moment run_tokens (of (A k))))
    by (intros k Hk; symmetry; apply run_tokens_moment, Ho, Hk).
  apply (weights_hold M T names A); auto.
  - intros k x Hk Hx. destruct (Hnames k Hk) as [[[Hs _] _] _]. unfold run_tokens. lia.
  - intros r. eapply Z.le_trans; [|apply (Hfits r)]. unfold memory. rewrite total_map.
    rewrite (total_ext _ (fun k => use (A k) r)) by (intros; apply run_tokens_use). lia.
Qed.

Lemma least_prompt_spec M T names A k : named M T names A -> In k names ->
  0 <= least_prompt M T <= prompt (of (A k)).
Proof.
  intros (_ & HT & Hnames & Hfits) Hk. unfold least_prompt. rewrite PositiveMap.fold_1.
  assert (Hall : forall p, In p (PositiveMap.elements T) -> 0 <= prompt (fst (snd p))).
  { intros [k' x] Hp. apply PositiveMap.elements_complete in Hp. destruct (HT _ _ Hp) as [Hk' ->].
    destruct (Hnames _ Hk') as [[[Hs _] _] _]. exact Hs. }
  assert (HM : 0 <= M).
  { specialize (Hfits 0). pose proof (memory_nonneg (map A names) 0) as H. rewrite Forall_forall in H.
    assert (0 <= memory (map A names) 0); [|lia]. apply H. intros a Ha. apply in_map_iff in Ha as (k' & <- & Hk').
    apply Hnames, Hk'. }
  assert (Hin : In (k, facts_of (of (A k))) (PositiveMap.elements T)).
  { apply PositiveMap.elements_correct. destruct (Hnames k Hk) as [_ H]. destruct (PositiveMap.find k T) as [x|] eqn:E; [|contradiction].
    destruct (HT _ _ E) as [_ ->]. reflexivity. }
  set (least := fun a (p : positive * facts) => Z.min (prompt (fst (snd p))) a).
  assert (H : forall l s, (forall p, In p l -> 0 <= prompt (fst (snd p))) -> 0 <= s ->
      0 <= fold_left least l s <= s /\ forall p, In p l -> fold_left least l s <= prompt (fst (snd p))).
  { subst least. clear. induction l as [|p l IH]; intros s Hl Hs; cbn [fold_left]; [split; [lia|intros p []]|].
    pose proof (Hl p (or_introl eq_refl)) as Hp. pose proof (Z.le_min_r (prompt (fst (snd p))) s) as Hr.
    pose proof (Z.le_min_l (prompt (fst (snd p))) s) as Hleft.
    destruct (IH (Z.min (prompt (fst (snd p))) s) (fun p' Hp' => Hl p' (or_intror Hp'))
      (Z.min_glb _ _ _ Hp Hs)) as [H1 H2].
    split; [split; [apply H1|eapply Z.le_trans; [apply H1|exact Hr]]|].
    intros p' [<-|Hp']; [eapply Z.le_trans; [apply H1|exact Hleft]|apply H2, Hp']. }
  destruct (H _ M Hall HM) as [H1 H2]. specialize (H2 _ Hin). cbn [fst snd facts_of] in H2. split; [apply H1|exact H2].
Qed.

Lemma window_le M s_min m q : 1 <= m -> 0 <= output q -> 0 <= window M s_min m q <= output q.
Proof.
  intros Hm Ho. unfold window, ceil_div. destruct (Z.ltb_spec 0 (excess M s_min m q)) as [H|_]; [|lia].
  assert (- excess M s_min m q / m <= 0); [|lia]. apply Z.div_le_upper_bound; lia.
Qed.

Lemma cover_whole M s_min m q : 1 <= m -> 0 <= output q ->
  whole (cover_weight M s_min m) q = window M s_min m q /\
  first_moment (cover_weight M s_min m) q = window M s_min m q * (window M s_min m q + 1) / 2.
Proof.
  intros Hm Ho. pose proof (window_le M s_min m q Hm Ho) as Hd. unfold whole, first_moment, cover_weight.
  set (d := window M s_min m q) in *. set (n := Z.to_nat d).
  replace (Z.to_nat (output q)) with (n + (Z.to_nat (output q) - n))%nat by (unfold n; lia).
  rewrite !sum_below_split. split.
  - rewrite (sum_below_ext n _ (fun _ => 1)) by (intros j Hj; unfold n in Hj; destruct (Z.leb_spec (Z.of_nat j + 1) d); lia).
    rewrite (sum_below_ext (Z.to_nat (output q) - n) _ (fun _ => 0))
      by (intros j _; destruct (Z.leb_spec (Z.of_nat (n + j) + 1) d); unfold n in *; lia).
    rewrite !sum_below_const. unfold n. lia.
  - rewrite (sum_below_ext n _ (fun j => 0 + (Z.of_nat j + 1)))
      by (intros j Hj; unfold n in Hj; destruct (Z.leb_spec (Z.of_nat j + 1) d); lia).
    rewrite (sum_below_ext (Z.to_nat (output q) - n) _ (fun _ => 0))
      by (intros j _; destruct (Z.leb_spec (Z.of_nat (n + j) + 1) d); unfold n in *; lia).
    rewrite ages_vol, sum_below_const. unfold vol, n. rewrite Z2Nat.id by lia. lia.
Qed.

(* The window covers of a level m: Lemma 4 of model.md says that at most m of them run in a round. *)
Lemma covers_hold M T names A m e chosen : named M T names A -> 1 <= m ->
  NoDup chosen -> incl chosen names -> 0 <= e -> (forall k, In k chosen -> e <= start (A k)) ->
  let d k := window M (least_prompt M T) m (of (A k)) in
  filled m (total d chosen) e - total (fun k => d k * (d k + 1) / 2) chosen <= total (fun k => d k * start (A k)) chosen.
Proof.
  intros HA Hm Hchosen Hincl He Hstarts d. pose proof HA as (_ & _ & Hnames & Hfits). set (s_min := least_prompt M T) in *.
  assert (E : forall k, In k chosen -> whole (cover_weight M s_min m) (of (A k)) = d k /\
      first_moment (cover_weight M s_min m) (of (A k)) = d k * (d k + 1) / 2).
  { intros k Hk. apply cover_whole; [exact Hm|]. destruct (Hnames k (Hincl k Hk)) as [[[_ Ho] _] _]. lia. }
  rewrite (total_ext d (fun k => whole (cover_weight M s_min m) (of (A k)))) by (intros k Hk; symmetry; apply E, Hk).
  rewrite (total_ext (fun k => d k * start (A k)) (fun k => whole (cover_weight M s_min m) (of (A k)) * start (A k)))
    by (intros k Hk; destruct (E k Hk) as [-> _]; reflexivity).
  rewrite (total_ext (fun k => d k * (d k + 1) / 2) (fun k => first_moment (cover_weight M s_min m) (of (A k))))
    by (intros k Hk; symmetry; apply E, Hk).
  apply (weights_hold M T names A); auto.
  - intros k x _ _. unfold cover_weight. destruct (_ <=? _); lia.
  - intros r. assert (Hstairs : Z.of_nat (length (filter (in_window M s_min m (r - 1)) (map A names))) <= m).
    { apply (staircase M (map of (map A names))); [|intros q Hq|exact Hm].
      - split; [reflexivity|]. split; [|exact Hfits]. rewrite Forall_forall. intros a Ha.
        apply in_map_iff in Ha as (k & <- & Hk). apply Hnames, Hk.
      - apply in_map_iff in Hq as (a & <- & Ha). apply in_map_iff in Ha as (k & <- & Hk).
        apply (least_prompt_spec M T names A k HA Hk). }
    eapply Z.le_trans; [|exact Hstairs]. rewrite <- (Z.mul_1_l (Z.of_nat _)), <- total_const, total_filter, total_map.
    apply total_le. intros k _. unfold weight, cover_weight, in_window.
    destruct (Z.ltb_spec (start (A k)) r), (Z.leb_spec r (completion (A k))); cbn [andb];
      destruct (Z.leb_spec (r - start (A k)) (window M s_min m (of (A k))));
      destruct (Z.ltb_spec (r - 1 - window M s_min m (of (A k))) (start (A k))), (Z.leb_spec (start (A k)) (r - 1)); cbn [andb]; lia.
Qed.

(* What is asked of those that are named for an area. *)
Lemma late_enough_spec M T names A P e chosen : named M T names A -> obeys names A P -> late_enough T P e chosen = true ->
  NoDup chosen /\ 0 <= e /\ forall k, In k chosen -> In k names /\ e <= start (A k).
Proof.
  intros (_ & HT & _) (_ & _ & _ & _ & H5) Hok. unfold late_enough in Hok.
  apply andb_true_iff in Hok as [Hok Hheads]. apply andb_true_iff in Hok as [Honce He]. rewrite forallb_forall in Hheads.
  split; [apply some_each_once_spec, Honce|]. split; [lia|]. intros k Hk. specialize (Hheads k Hk). specialize (HT k).
  destruct (PositiveMap.find k T) as [x|]; [|discriminate]. split; [apply (HT x eq_refl)|].
  destruct (heads P) as [h|]; [|destruct H5]. specialize (H5 k). cbv beta in H5. lia.
Qed.

Lemma row_of_holds M T names A P x r : named M T names A -> obeys names A P -> row_of M T P x = Some r ->
  satisfies (fun k => start (A k)) r /\ (forall z, In z (terms r) -> In (fst z) names).
Proof.
  intros HA HP H. pose proof HP as (H1 & H2 & H3 & H4 & H5). unfold satisfies. destruct x as [a b|i|j running|e chosen|m e chosen|k]; cbn [row_of] in H; [| | | | |discriminate].
  - destruct (gap_to b _) as [d|] eqn:E; [|discriminate]. apply in_gap_to in E. inversion H. cbn [terms at_least total fst snd].
    pose proof (H2 _ _ _ E) as Hd. cbv beta in Hd. destruct (H1 _ _ _ E) as [Ha Hb]. split; [lia|].
    intros z [<-|[<-|[]]]; assumption.
  - destruct (PositiveMap.find i (starts_by P)) as [t|] eqn:E; [|discriminate]. inversion H. cbn [terms at_least total fst snd].
    destruct (H4 _ _ E) as [Hi Ht]. split; [lia|]. intros z [<-|[]]. exact Hi.
  - destruct (_ && _) eqn:Hok in H; [|discriminate]. apply andb_true_iff in Hok as [Honce Hruns].
    rewrite forallb_forall in Hruns. pose proof (some_each_once_spec _ Honce) as Hnd.
    assert (Hrunning : forall k, In k running -> In k names /\ k <> j /\ runs_at A k j).
    { intros k Hk. destruct (H3 k j (Hruns k Hk)) as (A1 & A2 & A3 & A4). auto. }
    assert (Hj : In j names).
    { destruct running as [|k running]; [discriminate Honce|]. apply (H3 k j), Hruns. left. reflexivity. }
    inversion H. clear H. cbn [terms at_least total fst snd]. split.
    + pose proof (memory_holds M T names A j running HA Hnd Hj Hrunning) as H.
      rewrite (look_facts M T names A j HA Hj). cbn [fst facts_of]. rewrite total_map. cbn [fst snd].
      rewrite (total_ext (fun k => prompt (fst (look nobody k T)) + output (of (A j)))
        (fun k => prompt (of (A k)) + output (of (A j)))).
      * rewrite (total_ext (fun x => 1 * start (A x)) (fun x => start (A x))) by (intros; lia). lia.
      * intros k Hk. rewrite (look_facts M T names A k HA) by apply Hrunning, Hk. reflexivity.
    + intros z [<-|Hz]; [exact Hj|]. apply in_map_iff in Hz as (k & <- & Hk). apply Hrunning, Hk.
  - destruct (late_enough T P e chosen) eqn:Hok; [|discriminate].
    destruct (late_enough_spec M T names A P e chosen HA HP Hok) as (Hnd & He & Hchosen).
    inversion H. clear H. cbn [terms at_least]. rewrite !total_map. cbn [fst snd]. split.
    + assert (E : forall k, In k chosen -> look nobody k T = facts_of (of (A k))).
      { intros k Hk. apply (look_facts M T names A k HA), Hchosen, Hk. }
      rewrite (total_ext (fun k => fst (snd (look nobody k T))) (fun k => area (of (A k))))
        by (intros k Hk; rewrite E by exact Hk; reflexivity).
      rewrite (total_ext (fun k => snd (snd (look nobody k T))) (fun k => token_moment (of (A k))))
        by (intros k Hk; rewrite E by exact Hk; reflexivity).
      rewrite (total_ext (fun k => fst (snd (look nobody k T)) * start (A k)) (fun k => area (of (A k)) * start (A k)))
        by (intros k Hk; rewrite E by exact Hk; reflexivity).
      apply (areas_hold M T names A); auto; intros k Hk; apply Hchosen, Hk.
    + intros z Hz. rewrite map_map in Hz. apply in_map_iff in Hz as (k & <- & Hk). apply Hchosen, Hk.
  - destruct (_ && _) eqn:Hok in H; [|discriminate]. apply andb_true_iff in Hok as [Hm Hok].
    destruct (late_enough_spec M T names A P e chosen HA HP Hok) as (Hnd & He & Hchosen).
    inversion H. clear H. cbn [terms at_least]. rewrite !total_map. cbn [fst snd]. split.
    + assert (E : forall k, In k chosen -> fst (look nobody k T) = of (A k)).
      { intros k Hk. rewrite (look_facts M T names A k HA) by apply Hchosen, Hk. reflexivity. }
      rewrite (total_ext (fun k => window M (least_prompt M T) m (fst (look nobody k T)))
        (fun k => window M (least_prompt M T) m (of (A k)))) by (intros k Hk; rewrite E by exact Hk; reflexivity).
      rewrite (total_ext (fun k => window M (least_prompt M T) m (fst (look nobody k T)) * start (A k))
        (fun k => window M (least_prompt M T) m (of (A k)) * start (A k))) by (intros k Hk; rewrite E by exact Hk; reflexivity).
      rewrite (total_ext (fun k => window M (least_prompt M T) m (fst (look nobody k T)) *
          (window M (least_prompt M T) m (fst (look nobody k T)) + 1) / 2)
        (fun k => window M (least_prompt M T) m (of (A k)) * (window M (least_prompt M T) m (of (A k)) + 1) / 2))
        by (intros k Hk; rewrite E by exact Hk; reflexivity).
      apply (covers_hold M T names A m e chosen HA); auto; [lia|intros k Hk; apply Hchosen, Hk|intros k Hk; apply Hchosen, Hk].
    + intros z Hz. apply in_map_iff in Hz as (k & <- & Hk). apply Hchosen, Hk.
Qed.

(* --- Theorem 7 --------------------------------------------------------------------------- *)

Lemma charges_of_in costs rows found : charges_of costs rows = Some found ->
  forall x, In x found -> 0 <= fst x /\ In (snd x) costs.
Proof.
  revert found. induction rows as [|[y x] rows IH]; intros found H z Hz; cbn [charges_of] in H.
  - inversion H. subst. destruct Hz.
  - destruct x as [| | | | |k]; try (apply (IH found H z Hz)).
    destruct ((0 <=? y) && (0 <=? k)) eqn:E; [|discriminate]. destruct (nth_error costs (Z.to_nat k)) as [w|] eqn:Ew; [|discriminate].
    destruct (charges_of costs rows) as [rest|]; [|discriminate]. inversion H. subst. destruct Hz as [<-|Hz].
    + cbn [fst snd]. split; [lia|apply nth_error_In in Ew; exact Ew].
    + apply (IH rest eq_refl z Hz).
Qed.

Lemma rows_of_leaf_hold M T names A P : named M T names A -> obeys names A P ->
  forall rows l, rows_of_leaf M T P rows = Some l ->
  forall x, In x l -> 0 <= fst x /\ satisfies (fun k => start (A k)) (snd x) /\
    forall z, In z (terms (snd x)) -> In (fst z) names.
Proof.
  intros HA HP. induction rows as [|[y x] rows IH]; intros l E; cbn [rows_of_leaf] in E.
  - inversion E. intros x [].
  - destruct (Z.leb_spec 0 y) as [Hy|Hy]; [|discriminate]. destruct (row_of M T P x) as [r|] eqn:Er; [|discriminate].
    destruct (rows_of_leaf M T P rows) as [l'|]; [|discriminate]. inversion E. intros z [<-|Hz].
    + split; [exact Hy|]. apply (row_of_holds M T names A P x r HA HP Er).
    + apply (IH l' eq_refl z Hz).
Qed.

Lemma event_leaf_le M scale costs T names A P rows found : named M T names A -> 1 <= scale -> obeys names A P ->
  (forall x, In x costs -> costs_hold names (fun k => start (A k)) x) ->
  event_leaf M scale costs T names P rows = Some found ->
  match found with Some b => b <= total (fun k => start (A k)) names | None => False end.
Proof.
  intros HA Hscale HP Hcosts. pose proof HP as (_ & _ & _ & _ & Hheads). unfold event_leaf.
  destruct (rows_of_leaf M T P _) as [l|] eqn:E; [|discriminate].
  destruct (charges_of costs rows) as [charged|] eqn:Echarged; [|discriminate].
  destruct (heads P) as [h|] eqn:Eh; [|destruct Hheads]. cbn [heads_hold] in Hheads. intros H.
  pose proof (rows_of_leaf_hold M T names A P HA HP _ l E) as Hrows.
  pose proof (multipliers_bound scale names h l (fun k => start (A k))) as Hbound.
  pose proof (added_rows names l (fun k => start (A k)) (proj1 HA) Hrows) as Hsum.
  destruct (add_rows l (PositiveMap.empty Z) 0) as [c value]. cbn [fst snd] in Hsum.
  destruct charged as [|x charged].
  - destruct (rows_value scale names h c value) as [b|]; [|discriminate]. inversion H.
    apply Hbound; auto. apply HA.
  - destruct (priced_value scale names h c value (x :: charged)) as [b|] eqn:Eb; [|discriminate]. inversion H.
    apply (priced_bound scale names h c value (x :: charged) (fun k => start (A k)) b Hscale Hsum); auto.
    intros z Hz. destruct (charges_of_in _ _ _ Echarged z Hz) as [Hy Hin]. split; [exact Hy|apply Hcosts, Hin].
Qed.

Lemma lesser_le x y S : match x with Some b => b <= S | None => False end \/ match y with Some b => b <= S | None => False end ->
  match lesser x y with Some b => b <= S | None => False end.
Proof. destruct x as [a|], y as [b|]; cbn [lesser]; intros [H|H]; try contradiction; lia. Qed.

Lemma event_bound_le M scale costs T names A : named M T names A -> 1 <= scale ->
  (forall x, In x costs -> costs_hold names (fun k => start (A k)) x) ->
  forall t P found, obeys names A P -> event_bound M scale costs T names P t = Some found ->
  match found with Some b => b <= total (fun k => start (A k)) names | None => False end.
Proof.
  intros HA Hscale Hcosts. pose proof HA as (_ & HT & _).
  induction t as [rows|k j before IHb running IHr after IHa|i t early IHe late IHl]; intros P found HP H;
    cbn [event_bound] in H.
  - apply (event_leaf_le M scale costs T names A P rows found HA Hscale HP Hcosts H).
  - destruct (PositiveMap.find k T) as [[q x]|] eqn:Ek; [|discriminate].
    destruct (PositiveMap.find j T) as [[q' x']|] eqn:Ej; [|discriminate].
    destruct (PositiveMap.find k (look _ j (states P))); [discriminate|].
    destruct (Pos.eqb_spec k j) as [|Hkj]; [discriminate|].
    destruct (HT _ _ Ek) as [Hk Eq]. destruct (HT _ _ Ej) as [Hj Eq']. inversion Eq. inversion Eq'. subst q q'.
    destruct (event_bound M scale costs T names _ before) as [b|] eqn:Eb; [|discriminate].
    destruct (event_bound M scale costs T names _ running) as [r|] eqn:Er; [|discriminate].
    destruct (event_bound M scale costs T names _ after) as [a|] eqn:Ea; [|discriminate]. inversion H.
    apply lesser_le. destruct (three_parts names A (length names) k j P HP Hk Hj Hkj) as [Hp|[Hp|Hp]].
    + left. apply (IHb _ _ Hp Eb).
    + right. apply lesser_le. left. apply (IHr _ _ Hp Er).
    + right. apply lesser_le. right. apply (IHa _ _ Hp Ea).
  - destruct (PositiveMap.find i T) as [x|] eqn:Ei; [|discriminate]. destruct (HT _ _ Ei) as [Hi _].
    destruct (event_bound M scale costs T names _ early) as [e|] eqn:Ee; [|discriminate].
    destruct (event_bound M scale costs T names _ late) as [l|] eqn:El; [|discriminate]. inversion H.
    apply lesser_le. destruct (two_parts names A (length names) i t P HP Hi) as [Hp|Hp].
    + left. apply (IHe _ _ Hp Ee).
    + right. apply (IHl _ _ Hp El).
Qed.

Lemma next_alike_spec q l : forall k b, next_alike q k (map of l) = Some b ->
  In b (names_from k l) /\ forall A, map A (names_from k l) = l -> In (A b) l /\ of (A b) = q.
Proof.
  induction l as [|a l IH]; intros k b H; cbn [map next_alike names_from] in *; [discriminate|].
  destruct (alike q (of a)) eqn:E.
  - inversion H. subst. split; [left; reflexivity|]. intros A HA. cbn [map] in HA. inversion HA as [[H1 H2]].
    rewrite H1, H2. split; [left; reflexivity|]. unfold alike, same in E.
    destruct q as [s o e], (of a) as [s' o' e']. cbn [prompt output release] in E. f_equal; lia.
  - destruct (IH _ _ H) as [H1 H2]. split; [right; exact H1|]. intros A HA. cbn [map] in HA. inversion HA as [[E1 E2]].
    rewrite E1, E2. destruct (H2 A E2) as [H3 H4]. split; [right; exact H3|exact H4].
Qed.

Lemma alike_gaps_hold l : ForallOrdPairs by_number l -> forall k A, map A (names_from k l) = l ->
  forall a b d, In (b, d) (look [] a (alike_gaps k (map of l))) ->
  In a (names_from k l) /\ In b (names_from k l) /\ d <= start (A b) - start (A a).
Proof.
  induction 1 as [|x l Hx Hl IH]; intros k A HA a b d H; cbn [map alike_gaps names_from] in *.
  - rewrite look_empty in H. destruct H.
  - inversion HA as [[E1 E2]]. rewrite E1, E2 in *. specialize (IH (Pos.succ k) A E2).
    assert (Hrest : forall a, In (b, d) (look [] a (alike_gaps (Pos.succ k) (map of l))) ->
        (k = a \/ In a (names_from (Pos.succ k) l)) /\ (k = b \/ In b (names_from (Pos.succ k) l)) /\
        d <= start (A b) - start (A a)).
    { intros a' H'. destruct (IH _ _ _ H') as (I1 & I2 & I3). auto. }
    destruct (next_alike (of x) (Pos.succ k) (map of l)) as [c|] eqn:Ec; [|apply Hrest, H].
    destruct (Pos.eq_dec a k) as [->|Hne]; [|rewrite look_other in H by exact Hne; apply Hrest, H].
    rewrite look_same in H. destruct H as [H|[]]. inversion H. subst c d.
    destruct (next_alike_spec _ _ _ _ Ec) as [Hb Hof]. destruct (Hof A E2) as [Hb' Hof'].
    split; [left; reflexivity|]. split; [right; exact Hb|]. rewrite Forall_forall in Hx. specialize (Hx _ Hb'). unfold by_number in Hx.
    rewrite E1. specialize (Hx (eq_sym Hof')). lia.
Qed.

(* Theorem 7 of event_order.md: what is returned is at most the cost of every schedule. *)
Theorem events_sound M scale prices requests t bound l :
  events_bound M scale prices requests t = Some bound -> schedule M requests l -> bound <= cost l.
Proof.
  unfold events_bound. intros H Hl. destruct (Z.leb_spec 1 scale) as [Hscale|]; [|discriminate].
  destruct (all_costs M requests prices) as [costs|] eqn:Ecosts; [|discriminate].
  destruct (event_bound _ _ _ _ _ _ t) as [[b|]|] eqn:E; try discriminate. inversion H as [Hb]. clear H.
  destruct (schedule_by_number M requests l Hl) as (l' & (Hof & Hvalid & Hfits) & <- & Hturn). clear l Hl. rename l' into l.
  set (A := fun k => look (Attempt (Request 0 0) 0) k (table_from 1 l)).
  assert (HA : map A (names_from 1 l) = l) by apply look_names.
  assert (Hnames : names_from 1 requests = names_from 1 l) by (rewrite <- Hof; apply names_map).
  assert (Hfind : forall k, PositiveMap.find k (table_from 1 (map facts_of requests)) =
      option_map (fun a => facts_of (of a)) (PositiveMap.find k (table_from 1 l))).
  { intros k. rewrite <- Hof, map_map. apply table_map. }
  assert (Hnamed : named M (table_from 1 (map facts_of requests)) (names_from 1 l) A).
  { split; [apply names_once|]. split; [|split; [|rewrite HA; exact Hfits]].
    - intros k x Hx. rewrite Hfind in Hx. unfold A, look.
      destruct (PositiveMap.find k (table_from 1 l)) as [a|] eqn:Ea; [|discriminate]. inversion Hx.
      split; [apply (table_names _ _ _ _ Ea)|reflexivity].
    - intros k Hk. assert (Hin : In (A k) l) by (rewrite <- HA; apply in_map, Hk). split.
      + rewrite Forall_forall in Hvalid. apply Hvalid, Hin.
      + rewrite Hfind. clear -Hk. revert Hk. generalize 1%positive as n. induction l as [|x l IH]; intros n Hk; [destruct Hk|].
        cbn [names_from table_from] in *. destruct (Pos.eq_dec k n) as [->|Hne]; [rewrite PositiveMap.gss; discriminate|].
        rewrite PositiveMap.gso by exact Hne. apply IH. destruct Hk as [Hk|Hk]; [congruence|exact Hk]. }
  assert (Hobeys : obeys (names_from 1 l) A (root_path requests)).
  { unfold root_path. rewrite <- Hof. split; [|split; [|split; [|split]]]; cbn [gaps states starts_by heads].
    - intros a b' d Hd. destruct (alike_gaps_hold l Hturn 1%positive A HA _ _ _ Hd) as (H1 & H2 & _). auto.
    - intros a b' d Hd. apply (alike_gaps_hold l Hturn 1%positive A HA _ _ _ Hd).
    - intros k j Hk. rewrite look_empty in Hk. unfold look in Hk. rewrite PositiveMap.gempty in Hk. discriminate.
    - intros i t' Ht. rewrite PositiveMap.gempty in Ht. discriminate.
    - cbn [heads_hold]. intros k. rewrite map_map. unfold A, look. rewrite table_map.
      destruct (PositiveMap.find k (table_from 1 l)) as [a|] eqn:Ea; cbn [option_map start]; [|lia].
      assert (Hin : In a l).
      { rewrite <- HA. replace a with (A k) by (unfold A, look; rewrite Ea; reflexivity).
        apply in_map, (table_names _ _ _ _ Ea). }
      rewrite Forall_forall in Hvalid. apply (Hvalid a Hin). }
  assert (Hcosts : forall x, In x costs -> costs_hold (names_from 1 l) (fun k => start (A k)) x).
  { rewrite <- Hof in Ecosts. apply (all_costs_hold M l prices costs); [split; [reflexivity|split; assumption]| |exact Ecosts].
    intros q Hq. apply in_map_iff in Hq as (a & <- & Ha). rewrite Forall_forall in Hvalid.
    destruct (Hvalid a Ha) as [[Hs Ho] _]. auto. }
  rewrite Hnames in E. pose proof (event_bound_le M scale costs _ _ A Hnamed Hscale Hcosts t _ _ Hobeys E) as Hle. cbv beta iota in Hle.
  assert (Hstarts : total (fun k => start (A k)) (names_from 1 l) = total start l).
  { rewrite <- (total_map start A), HA. reflexivity. }
  unfold cost, completion. rewrite (total_ext _ (fun a => start a + (output (of a) - release (of a)))) by (intros; lia).
  rewrite total_add, <- (total_map (fun q => output q - release q) of), Hof. lia.
Qed.
