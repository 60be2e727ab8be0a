(* The rule "linear-duals" of FORMAT.md, faster than in Prices.v: the reduced cost of a start at
   time t is linear in t between some times, so that it is enough to look at these. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import MergeSort Model Sums Staircase Prices Types Upper Pieces FirstCompletion.
Import ListNotations.
Open Scope Z_scope.

(* The rows of a leaf: the memory in a round; the cover of a level at a time; and a split, where
   sign is 1 for N <= at_most and -1 for -N <= -(at_most + 1). *)
Inductive line :=
  | MemoryLine (round dual : Z)
  | CoverLine (level at_time dual : Z)
  | SplitLine (listed : list (request * Z)) (sign at_most dual : Z).

Definition as_row (M s_min : Z) (x : line) : row :=
  match x with
  | MemoryLine r p => memory_row M r p
  | CoverLine m u p => staircase_row M s_min m u p
  | SplitLine listed sign b p => if sign =? 1 then few_row listed b p else many_row listed b p
  end.

(* The time before which starts of a type count in a split, 0 if none do. *)
Definition counts_until (listed : list (request * Z)) (q : request) : Z :=
  latest (map snd (filter (fun x => same (fst x) q) listed)).

(* From its time on, an event adds (constant + number t) to the reduced cost of a start at t. *)
Definition changes (M s_min : Z) (q : request) (x : line) : list event :=
  match x with
  | MemoryLine r p =>
      if 0 <? r then
        [Event (Z.max 0 (r - output q)) (p * (prompt q + r)) (- p);
         Event r (- (p * (prompt q + r))) p]
      else []
  | CoverLine m u p =>
      let d := window M s_min m q in
      if (0 <? d) && (0 <=? u)
      then [Event (Z.max 0 (u - d + 1)) p 0; Event (u + 1) (- p) 0] else []
  | SplitLine listed sign b p =>
      let until := counts_until listed q in
      let p' := if sign =? 1 then p else - p in
      if 0 <? until then [Event 0 p' 0; Event until (- p') 0] else []
  end.

(* All of them, in order of time. *)
Definition row_changes (M s_min : Z) (lines : list line) (families : list family) (q : request) :
    list event :=
  Sort.sort time (flat_map (changes M s_min q) lines ++ flat_map (fun f => family_changes M f q) families).

(* The least reduced cost of a start from a release on, of requests of one prompt and output. *)
Fixpoint scan_from (first c k : Z) (l : list event) : option Z :=
  match l with
  | e :: rest =>
      if time e <=? first then scan_from first (c + constant e) (k + number e) rest
      else scan_least first c k l
  | [] => scan_least first c k []
  end.

Definition least_start (D : Z) (events : list event) (q : request) : option Z :=
  scan_from (release q) (D * output q) D events.

(* The sum of n_k times the least reduced cost; `last` is the request before, with its events. *)
Fixpoint least_starts (M s_min D : Z) (lines : list line) (families : list family)
    (last : option (request * list event)) (types : list (request * Z)) : option Z :=
  match types with
  | [] => Some 0
  | (q, n) :: rest =>
      let again := match last with Some (q', events) => if same q' q then Some events else None | None => None end in
      let events := match again with Some events => events | None => row_changes M s_min lines families q end in
      match least_start D events q, least_starts M s_min D lines families (Some (q, events)) rest with
      | Some v, Some sum => Some (n * v + sum)
      | _, _ => None
      end
  end.

Definition lines_bound (M s_min D : Z) (lines : list line) (families : list family)
    (types : list (request * Z)) : option Z :=
  match least_starts M s_min D lines families None types with
  | Some v => Some (ceil_div (v - total (fun x =>
      price (as_row M s_min x) * right (as_row M s_min x)) lines
      - total (family_right M) families) D)
  | None => None
  end.

(* `above` holds the splits above, root first, their duals still open. *)
Definition lines_of (above : list (Z -> line)) (on_memory : list (Z * Z))
    (on_covers : list (Z * Z * Z)) (on_branch : list Z) : list line :=
  map (fun x => MemoryLine (fst x) (snd x)) on_memory
  ++ map (fun x => CoverLine (fst (fst x)) (snd (fst x)) (snd x)) on_covers
  ++ map (fun x => fst x (snd x)) (combine above on_branch).

(* One dual for each split above, none below 0, and rows that hold. *)
Definition rows_check (M s_min : Z) (above : list (Z -> line)) (families : list family)
    (on_memory : list (Z * Z)) (on_covers : list (Z * Z * Z)) (on_branch : list Z) : bool :=
  (length above =? length on_branch)%nat
  && forallb (fun x => 0 <=? price (as_row M s_min x)) (lines_of above on_memory on_covers on_branch)
  && forallb (fun x => 1 <=? fst (fst x)) on_covers
  && forallb family_ok families.

Definition leaf_least (M s_min D : Z) (types : list (request * Z)) (above : list (Z -> line))
    (families : list family) (on_memory : list (Z * Z)) (on_covers : list (Z * Z * Z))
    (on_branch : list Z) : option Z :=
  if rows_check M s_min above families on_memory on_covers on_branch
  then lines_bound M s_min D (lines_of above on_memory on_covers on_branch) families types
  else None.

Fixpoint tree_least (M s_min D : Z) (types : list (request * Z)) (above : list (Z -> line)) (t : tree) :
    option Z :=
  match t with
  | Leaf on_memory on_covers on_branch =>
      leaf_least M s_min D types above [] on_memory on_covers on_branch
  | LeafWith families on_memory on_covers on_branch =>
      leaf_least M s_min D types above families on_memory on_covers on_branch
  | Split listed b few many =>
      match tree_least M s_min D types (above ++ [SplitLine listed 1 b]) few,
            tree_least M s_min D types (above ++ [SplitLine listed (-1) b]) many with
      | Some x, Some y => Some (Z.min x y)
      | _, _ => None
      end
  end.

Definition duals_bound (M D : Z) (types : list (request * Z)) (t : tree) : option Z :=
  if (1 <=? D)
    && forallb (fun x => (0 <=? prompt (fst x)) && (1 <=? output (fst x)) && (0 <=? snd x)) types
  then
    match tree_least M (smallest_prompt types) D types [] t with
    | Some bound => Some (bound - total (fun x => snd x * release (fst x)) types)
    | None => None
    end
  else None.

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma counts_listed listed q t : 0 <= t ->
  counts listed (Attempt q t) = if t <? counts_until listed q then 1 else 0.
Proof.
  intros Ht. unfold counts, counts_until. cbn [of start].
  induction listed as [|[q' u] listed IH]; cbn [existsb filter map fst snd].
  - cbn [latest fold_right]. destruct (Z.ltb_spec t 0); lia.
  - destruct (same q' q); cbn [andb orb map snd].
    + unfold latest in *. cbn [fold_right]. fold (latest (map snd (filter (fun x => same (fst x) q) listed))) in *.
      destruct (Z.ltb_spec t u), (existsb _ listed);
        destruct (Z.ltb_spec t (latest (map snd (filter (fun x => same (fst x) q) listed))));
        destruct (Z.ltb_spec t (Z.max u (latest (map snd (filter (fun x => same (fst x) q) listed)))));
        cbn [orb] in *; lia.
    + exact IH.
Qed.

(* The events of a row are its coefficient times its dual. *)
Lemma changes_spec M s_min q x t : 1 <= output q -> 0 <= t ->
  changed_by (changes M s_min q x) t =
  price (as_row M s_min x) * coefficient (as_row M s_min x) (Attempt q t).
Proof.
  intros Ho Ht. destruct x as [r p|m u p|listed sign b p]; cbn [changes as_row].
  - cbn [price coefficient memory_row]. unfold use, completion. cbn [of start].
    destruct (Z.ltb_spec 0 r); unfold changed_by; cbn [total time constant number];
      destruct (Z.ltb_spec t r), (Z.leb_spec r (t + output q)); cbn [andb]; try lia;
      destruct (Z.leb_spec (Z.max 0 (r - output q)) t), (Z.leb_spec r t); try lia; ring.
  - cbn [price coefficient staircase_row]. unfold in_window. cbn [of start].
    set (d := window M s_min m q).
    destruct (Z.ltb_spec 0 d), (Z.leb_spec 0 u); cbn [andb]; unfold changed_by; cbn [total time constant number];
      destruct (Z.ltb_spec (u - d) t), (Z.leb_spec t u); cbn [andb]; try lia;
      destruct (Z.leb_spec (Z.max 0 (u - d + 1)) t), (Z.leb_spec (u + 1) t); lia.
  - assert (Hc := counts_listed listed q t Ht).
    destruct (sign =? 1); cbn [price coefficient few_row many_row]; rewrite Hc;
      destruct (Z.ltb_spec 0 (counts_until listed q)); unfold changed_by; cbn [total time constant number];
      destruct (Z.ltb_spec t (counts_until listed q)); try lia;
      destruct (Z.leb_spec 0 t), (Z.leb_spec (counts_until listed q) t); lia.
Qed.

(* The rows of a leaf. *)
Definition all_rows (M s_min : Z) (lines : list line) (families : list family) : list row :=
  map (as_row M s_min) lines ++ flat_map (rows_of M) families.

Lemma row_changes_spec M s_min D lines families q t : 1 <= output q -> 0 <= t ->
  priced D (all_rows M s_min lines families) (Attempt q t) =
  D * output q + D * t + changed_by (row_changes M s_min lines families q) t.
Proof.
  intros Ho Ht. unfold row_changes, changed_by.
  rewrite <- (total_permutation _ _ _ (Sort.Permuted_sort time _)).
  fold (changed_by (flat_map (changes M s_min q) lines ++ flat_map (fun f => family_changes M f q) families) t).
  rewrite changed_by_app.
  assert (E : changed_by (flat_map (changes M s_min q) lines) t =
      total (fun x => price x * coefficient x (Attempt q t)) (map (as_row M s_min) lines)).
  { clear -Ho Ht. rewrite total_map. induction lines as [|x lines IH]; [reflexivity|]. cbn [flat_map total].
    rewrite changed_by_app, IH, changes_spec by assumption. reflexivity. }
  assert (E' : changed_by (flat_map (fun f => family_changes M f q) families) t =
      total (fun x => price x * coefficient x (Attempt q t)) (flat_map (rows_of M) families)).
  { clear -Ht. induction families as [|f families IH]; [reflexivity|]. cbn [flat_map].
    rewrite changed_by_app, IH, total_app, family_changes_spec by exact Ht. reflexivity. }
  unfold all_rows. unfold priced, completion. rewrite total_app. cbn [of start]. lia.
Qed.

Lemma scan_from_spec first l : forall c k v, scan_from first c k l = Some v ->
  forall t, first <= t -> v <= c + k * t + changed_by l t.
Proof.
  induction l as [|e l IH]; intros c k v H t Ht; cbn [scan_from] in H.
  - apply (scan_least_spec _ _ _ _ _ H), Ht.
  - destruct (Z.leb_spec (time e) first) as [Hle|_].
    + specialize (IH _ _ _ H t Ht). unfold changed_by in *. cbn [total].
      destruct (Z.leb_spec (time e) t); [|lia]. lia.
    + apply (scan_least_spec _ _ _ _ _ H), Ht.
Qed.

Lemma least_start_le M s_min D lines families q v t :
  least_start D (row_changes M s_min lines families q) q = Some v -> 1 <= output q -> 0 <= release q <= t ->
  v <= priced D (all_rows M s_min lines families) (Attempt q t).
Proof.
  intros H Ho Ht. pose proof (scan_from_spec _ _ _ _ _ H t ltac:(lia)) as Hle.
  rewrite row_changes_spec by lia. exact Hle.
Qed.

(* Releases play no part in rows. *)
Lemma row_changes_same M s_min lines families q q' : same q q' = true ->
  row_changes M s_min lines families q = row_changes M s_min lines families q'.
Proof.
  intros H. change (row_changes M s_min lines families q) with (row_changes M s_min lines families (at_zero q)).
  change (row_changes M s_min lines families q') with (row_changes M s_min lines families (at_zero q')).
  f_equal. unfold same in H. unfold at_zero. f_equal; lia.
Qed.

Lemma least_starts_spec M s_min D lines families types :
  let f q := least_start D (row_changes M s_min lines families q) q in
  forall last v, (forall q events, last = Some (q, events) -> events = row_changes M s_min lines families q) ->
  least_starts M s_min D lines families last types = Some v ->
  v = total (fun x => snd x * match f (fst x) with Some y => y | None => 0 end) types /\
  forall q n, In (q, n) types -> f q <> None.
Proof.
  intros f. induction types as [|[q n] types IH]; intros last v Hlast Hv; cbn [least_starts] in Hv.
  - inversion Hv. split; [reflexivity|intros q n []].
  - cbv zeta in Hv. set (events := match match last with Some _ => _ | None => None end with Some _ => _ | None => _ end) in *.
    assert (He : events = row_changes M s_min lines families q).
    { unfold events. destruct last as [[q' events']|]; [|reflexivity]. destruct (same q' q) eqn:E; [|reflexivity].
      rewrite (Hlast q' events' eq_refl). apply row_changes_same, E. }
    rewrite He in Hv. change (least_start D (row_changes M s_min lines families q) q) with (f q) in Hv.
    cbn [total fst snd]. destruct (f q) as [x|] eqn:Ex; [|discriminate].
    destruct (least_starts M s_min D lines families (Some _) types) as [s|] eqn:Es; [|discriminate]. inversion Hv.
    destruct (IH (Some (q, row_changes M s_min lines families q)) s ltac:(intros q' events' E; inversion E; reflexivity) Es) as [IH1 IH2]. split; [lia|].
    intros q' n' [Heq|Hin]; [inversion Heq; subst; congruence|apply (IH2 q' n' Hin)].
Qed.

Lemma least_starts_le M s_min D lines families types v requests l :
  least_starts M s_min D lines families None types = Some v ->
  Permutation requests (expand types) ->
  (forall x, In x types -> 0 <= snd x /\ 1 <= output (fst x)) ->
  map of l = requests -> (forall a, In a l -> valid a) ->
  v <= total (priced D (all_rows M s_min lines families)) l.
Proof.
  intros Hv Hperm Htypes Hof Hvalid.
  destruct (least_starts_spec M s_min D lines families types None v ltac:(discriminate) Hv) as [-> Hsome].
  set (f := fun q => match least_start D (row_changes M s_min lines families q) q with Some x => x | None => 0 end).
  change (total (fun x => snd x * f (fst x)) types <= total (priced D (all_rows M s_min lines families)) l).
  rewrite <- (total_expand f types) by (intros x Hx; apply (Htypes x Hx)).
  rewrite <- (total_permutation f _ _ Hperm), <- Hof, total_map. apply total_le.
  intros [q t] Ha. cbn [of]. destruct (Hvalid _ Ha) as [_ Ht]. cbn [of start] in Ht.
  assert (Hq : In q requests) by (rewrite <- Hof; apply in_map_iff; exists (Attempt q t); auto).
  apply (Permutation_in _ Hperm) in Hq. apply in_expand in Hq as (n & Hq).
  specialize (Hsome q n Hq). destruct (Htypes _ Hq) as [_ Ho]. cbn [fst] in Ho.
  unfold f. destruct (least_start D (row_changes M s_min lines families q) q) as [x|] eqn:Ex; [|congruence].
  apply (least_start_le M s_min D lines families q x t Ex Ho). lia.
Qed.

(* The rows of a leaf hold, and what they cost the right-hand sides. *)
Lemma rows_hold M types requests l above families on_memory on_covers on_branch :
  schedule M requests l -> Permutation requests (expand types) ->
  (forall x, In x types -> 0 <= prompt (fst x)) ->
  (forall f p, In f above -> holds l (as_row M (smallest_prompt types) (f p))) ->
  rows_check M (smallest_prompt types) above families on_memory on_covers on_branch = true ->
  forall x, In x (all_rows M (smallest_prompt types) (lines_of above on_memory on_covers on_branch) families) ->
  0 <= price x /\ holds l x.
Proof.
  intros Hl Hperm Htypes Habove Hok. pose proof Hl as (Hof & Hvalid & Hfits).
  set (s_min := smallest_prompt types) in *. unfold rows_check in Hok.
  set (lines := lines_of above on_memory on_covers on_branch) in *.
  apply andb_true_iff in Hok as [Hok Hfamilies].
  apply andb_true_iff in Hok as [Hok Hlevels]. apply andb_true_iff in Hok as [_ Hprices].
  rewrite forallb_forall in Hlevels, Hprices, Hfamilies.
  assert (Hrows : forall x, In x lines -> holds l (as_row M s_min x)).
  { intros x Hx. unfold lines, lines_of in Hx.
    apply in_app_or in Hx as [Hx|Hx]; [|apply in_app_or in Hx as [Hx|Hx]].
    - apply in_map_iff in Hx as ([r p] & <- & _). apply Hfits.
    - apply in_map_iff in Hx as ([[m u] p] & <- & Hin). apply Hlevels in Hin. simpl in Hin.
      unfold holds. cbn [as_row coefficient right staircase_row fst snd].
      rewrite <- (total_filter (in_window M s_min m u) (fun _ => 1)).
      rewrite total_const, Z.mul_1_l. apply (staircase M requests); [exact Hl| |lia].
      intros q Hq. apply (Permutation_in _ Hperm) in Hq. apply in_expand in Hq as (n & Hq).
      split; [|apply (smallest_prompt_le types q n), Hq].
      apply smallest_prompt_nonneg. intros y Hy. apply (Htypes y Hy).
    - apply in_map_iff in Hx as ([f p] & <- & Hin). apply in_combine_l in Hin. apply Habove, Hin. }
  intros x Hx. unfold all_rows in Hx. apply in_app_or in Hx as [Hx|Hx].
  - apply in_map_iff in Hx as (y & <- & Hy). specialize (Hprices y Hy). split; [lia|apply Hrows, Hy].
  - apply in_flat_map in Hx as (f & Hf & Hx).
    apply (rows_of_hold M requests l f x Hl (Hfamilies f Hf) Hx).
Qed.

Lemma all_rows_right M s_min lines families :
  total (fun x => price x * right x) (all_rows M s_min lines families) =
  total (fun x => price (as_row M s_min x) * right (as_row M s_min x)) lines
  + total (family_right M) families.
Proof.
  unfold all_rows. rewrite total_app, total_map, total_flat_map.
  rewrite (total_ext _ (family_right M)) by (intros; apply family_right_spec). reflexivity.
Qed.

Lemma leaf_least_le M D types requests l above families on_memory on_covers on_branch result :
  schedule M requests l -> Permutation requests (expand types) ->
  (forall x, In x types -> 0 <= prompt (fst x) /\ 1 <= output (fst x) /\ 0 <= snd x) -> 1 <= D ->
  (forall f p, In f above -> holds l (as_row M (smallest_prompt types) (f p))) ->
  leaf_least M (smallest_prompt types) D types above families on_memory on_covers on_branch = Some result ->
  result <= completions l.
Proof.
  intros Hl Hperm Htypes HD Habove Hresult. unfold leaf_least in Hresult.
  destruct (rows_check _ _ _ _ _ _ _) eqn:Hok; [|discriminate].
  pose proof (rows_hold M types requests l above families on_memory on_covers on_branch Hl Hperm
    (fun x Hx => proj1 (Htypes x Hx)) Habove Hok) as Hall.
  destruct Hl as (Hof & Hvalid & _). rewrite Forall_forall in Hvalid.
  set (s_min := smallest_prompt types) in *. set (lines := lines_of _ _ _ _) in *.
  unfold lines_bound in Hresult.
  destruct (least_starts M s_min D lines families None types) as [v|] eqn:Ev; [|discriminate].
  inversion Hresult as [E]. clear Hresult E.
  pose proof (least_starts_le M s_min D lines families types v requests l Ev Hperm
    (fun x Hx => conj (proj2 (proj2 (Htypes x Hx))) (proj1 (proj2 (Htypes x Hx)))) Hof Hvalid) as Hcheap.
  pose proof (weak_duality D (all_rows M s_min lines families) l) as Hweak.
  specialize (Hweak Hall). rewrite all_rows_right in Hweak.
  unfold ceil_div. set (B := v - _ - _). assert (HB : B <= D * completions l) by (unfold B; lia).
  assert (- completions l <= - B / D); [|lia]. apply Z.div_le_lower_bound; lia.
Qed.

Lemma tree_least_le M D types requests l t :
  schedule M requests l -> Permutation requests (expand types) ->
  (forall x, In x types -> 0 <= prompt (fst x) /\ 1 <= output (fst x) /\ 0 <= snd x) -> 1 <= D ->
  forall above result, (forall f p, In f above -> holds l (as_row M (smallest_prompt types) (f p))) ->
  tree_least M (smallest_prompt types) D types above t = Some result -> result <= completions l.
Proof.
  intros Hl Hperm Htypes HD. set (s_min := smallest_prompt types).
  induction t as [on_memory on_covers on_branch|families on_memory on_covers on_branch|listed b few IHf many IHm];
    intros above result Habove Hresult; cbn [tree_least] in Hresult.
  1,2: apply (leaf_least_le M D types requests l above _ _ _ _ result Hl Hperm Htypes HD Habove Hresult).
  - destruct (tree_least M s_min D types (above ++ [SplitLine listed 1 b]) few) as [x|] eqn:Ef; [|discriminate].
    destruct (tree_least M s_min D types (above ++ [SplitLine listed (-1) b]) many) as [y|] eqn:Em; [|discriminate].
    inversion Hresult. subst result. clear Hresult.
    destruct (Z.le_gt_cases (total (counts listed) l) b) as [Hfew|Hmany].
    + assert (x <= completions l); [|lia]. apply (IHf (above ++ [SplitLine listed 1 b])); [|exact Ef].
      intros f p Hf. apply in_app_or in Hf as [Hf|[<-|[]]]; [apply Habove, Hf|]. exact Hfew.
    + assert (y <= completions l); [|lia]. apply (IHm (above ++ [SplitLine listed (-1) b])); [|exact Em].
      intros f p Hf. apply in_app_or in Hf as [Hf|[<-|[]]]; [apply Habove, Hf|].
      unfold holds. cbn [as_row Z.eqb Pos.eqb many_row coefficient right].
      rewrite (total_ext _ (fun a => -1 * counts listed a)) by (intros; lia).
      rewrite total_scale. lia.
Qed.

(* The rule "linear-duals": whatever the duals and the splits are, what is returned is at most the
   cost of every schedule of these requests. *)
Theorem duals_sound M D types t result requests l :
  duals_bound M D types t = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold duals_bound. intros H Hperm Hl.
  destruct ((1 <=? D) && forallb _ types) eqn:E; [|discriminate].
  apply andb_true_iff in E as [HD Htypes]. rewrite forallb_forall in Htypes.
  destruct (tree_least _ _ _ _ _ _) as [bound|] eqn:Hbound; [|discriminate]. inversion H. subst result. clear H.
  assert (Hle : bound <= completions l).
  { apply (tree_least_le M D types requests l t Hl Hperm) with (above := []); [|lia|intros f p []|exact Hbound].
    intros x Hx. specialize (Htypes x Hx). lia. }
  rewrite cost_completions. destruct Hl as [-> _]. rewrite (total_permutation _ _ _ Hperm), total_expand; [lia|].
  intros x Hx. specialize (Htypes x Hx). lia.
Qed.
