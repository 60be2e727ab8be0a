(* Prices of event-order: what starts cost at duals of the rows of LinearDuals.v, from below by convex costs.
   Lemmas 8 to 10 of event_order.md.  Of how these are found nothing is proved; they are checked. *)

From Coq Require Import ZArith List Lia Bool Permutation FMapPositive.
From Kvopt Require Import Model Sums Prices Types Upper Pieces Vectors FirstCompletion LinearDuals Propagation StartRows.
Import ListNotations.
Open Scope Z_scope.

(* --- Costs ------------------------------------------------------------------------------- *)

(* What events up to time t add, c + k t, and those that are left. *)
Fixpoint up_to_now (t c k : Z) (l : list event) : Z * Z * list event :=
  match l with
  | e :: rest => if time e <=? t then up_to_now t (c + constant e) (k + number e) rest else (c, k, l)
  | [] => (c, k, [])
  end.

(* The costs of starts at t, t + 1, ..., the last of them first. *)
Fixpoint costs_from (todo : nat) (t c k : Z) (l : list event) (found : list Z) : list Z :=
  match todo with
  | O => found
  | S todo' => let '(c, k, l) := up_to_now t c k l in costs_from todo' (t + 1) c k l (c + k * t :: found)
  end.

(* The lower convex hull of points (t, cost), the last one first. *)
Fixpoint drop_above (p : Z * Z) (hull : list (Z * Z)) : list (Z * Z) :=
  match hull with
  | b :: ((a :: _) as rest) =>
      if (snd b - snd a) * (fst p - fst a) <? (snd p - snd a) * (fst b - fst a) then hull else drop_above p rest
  | _ => hull
  end.
Definition hull_of (points : list (Z * Z)) : list (Z * Z) := fold_left (fun hull p => p :: drop_above p hull) points [].

(* Costs that fall by the slopes of a hull, rounded up, to 0 at its end. *)
Fixpoint rise (n : nat) (step : Z) (found : list Z) : list Z :=
  match n with O => found | S n' => rise n' step (hd 0 found - step :: found) end.
Fixpoint along (hull : list (Z * Z)) (found : list Z) : list Z :=
  match hull with
  | b :: ((a :: _) as rest) =>
      along rest (rise (Z.to_nat (fst b - fst a)) (- ((snd a - snd b) / (fst b - fst a))) found)
  | _ => found
  end.

Fixpoint with_times (t : Z) (l : list Z) (found : list (Z * Z)) : list (Z * Z) :=
  match l with [] => rev' found | x :: rest => with_times (t + 1) rest ((t, x) :: found) end.
Definition convex_below (events : list event) : list Z :=
  let last := fold_left (fun t e => Z.max t (time e)) events 0 in
  along (hull_of (with_times 0 (rev' (costs_from (Z.to_nat (last + 1)) 0 0 0 events [])) [])) [0].

(* --- Checks ------------------------------------------------------------------------------ *)

(* Events in the order of their times, from t on. *)
Fixpoint ordered (t : Z) (l : list event) : bool :=
  match l with [] => true | e :: rest => (t <=? time e) && ordered (time e) rest end.

(* A list is below what events add from t on, and so is 0 after its end. *)
Fixpoint stays_below (t c k : Z) (events : list event) (l : list Z) : bool :=
  match l with
  | [] => match events with [] => (k =? 0) && (0 <=? c) | _ => false end
  | g :: rest => let '(c, k, events) := up_to_now t c k events in (g <=? c + k * t) && stays_below (t + 1) c k events rest
  end.

(* The steps of a list, which goes on with 0, never fall. *)
Fixpoint convex_list (l : list Z) : bool :=
  match l with
  | a :: rest => (hd 0 rest - a <=? hd 0 (tl rest) - hd 0 rest) && convex_list rest
  | [] => true
  end.

(* --- Costs of all starts ----------------------------------------------------------------- *)

(* What the starts cost at most; the costs of each; from when on they are 0. *)
Record convex_costs := ConvexCosts {
  at_most_all : Z;
  costs_of : PositiveMap.t (vector Z);
  over_from : Z
}.
Definition convex_cost_of (x : convex_costs) (k : positive) (t : Z) : Z := at_place 0 (look (Vector []) k (costs_of x)) t.

(* Those of requests that are the same are found once. *)
Fixpoint costs_of_kinds (events : request -> list event) (known : list (request * vector Z)) (requests : list request) :
    option (list (request * vector Z)) :=
  match requests with
  | [] => Some known
  | q :: rest =>
      if existsb (fun x => same (fst x) q) known then costs_of_kinds events known rest
      else
        let found := events q in
        let l := convex_below found in
        if ordered 0 found && stays_below 0 0 0 found l && convex_list l
        then costs_of_kinds events ((q, Vector l) :: known) rest
        else None
  end.
Definition of_kind (known : list (request * vector Z)) (q : request) : vector Z :=
  match find (fun x => same (fst x) q) known with Some x => snd x | None => Vector [] end.

(* Duals of a leaf without splits above it. *)
Definition costs_at_duals (M : Z) (requests : list request) (d : node_duals) : option convex_costs :=
  let s_min := smallest_prompt (map (fun q => (q, 1)) requests) in
  let families := of_families d in
  let lines := lines_of [] (of_memory d) (of_covers d) (of_branch d) in
  if rows_check M s_min [] families (of_memory d) (of_covers d) (of_branch d) then
    match costs_of_kinds (row_changes M s_min lines families) [] requests with
    | Some known =>
        if forallb (fun q => existsb (fun x => same (fst x) q) known) requests then
          Some (ConvexCosts
            (total (fun x => price (as_row M s_min x) * right (as_row M s_min x)) lines + total (family_right M) families)
            (table_from 1 (map (of_kind known) requests))
            (latest (map fst (of_memory d) ++ map (fun x => snd (fst x) + 1) (of_covers d)
              ++ flat_map (fun f => map fst (duals f)) families)))
        else None
    | None => None
    end
  else None.

Fixpoint all_costs (M : Z) (requests : list request) (l : list node_duals) : option (list convex_costs) :=
  match l with
  | [] => Some []
  | d :: rest =>
      match costs_at_duals M requests d, all_costs M requests rest with
      | Some x, Some found => Some (x :: found)
      | _, _ => None
      end
  end.

(* --- The cheapest start ------------------------------------------------------------------ *)

(* The first time from which on f does not fall, if its steps never fall. *)
Fixpoint first_rise (fuel : nat) (f : Z -> Z) (low high : Z) : Z :=
  match fuel with
  | S fuel' =>
      if low <? high then
        let middle := (low + high) / 2 in
        if f middle <=? f (middle + 1) then first_rise fuel' f low middle else first_rise fuel' f (middle + 1) high
      else low
  | O => low
  end.
Definition cheapest_from (f : Z -> Z) (head over : Z) : option Z :=
  let t := first_rise (Z.to_nat 100) f head (Z.max head over) in
  if (head <=? t) && (f t <=? f (t + 1)) && ((t =? head) || (f t <=? f (t - 1))) then Some (f t) else None.

Definition charged_at (charged : list (Z * convex_costs)) (k : positive) (t : Z) : Z :=
  total (fun x => fst x * convex_cost_of (snd x) k t) charged.

Fixpoint cheapest_starts (scale : Z) (names : list positive) (heads c : PositiveMap.t Z)
    (charged : list (Z * convex_costs)) : option Z :=
  match names with
  | [] => Some 0
  | k :: rest =>
      let rate := scale - look 0 k c in
      let head := look 0 k heads in
      if (0 <=? head) && (0 <=? rate) then
        match cheapest_from (fun t => rate * t + charged_at charged k t) head
                (fold_left (fun t x => Z.max t (over_from (snd x))) charged 0),
              cheapest_starts scale rest heads c charged with
        | Some v, Some sum => Some (v + sum)
        | _, _ => None
        end
      else None
  end.

Definition priced_value (scale : Z) (names : list positive) (heads c : PositiveMap.t Z) (value : Z)
    (charged : list (Z * convex_costs)) : option Z :=
  match cheapest_starts scale names heads c charged with
  | Some sum => Some (ceil_div (value - total (fun x => fst x * at_most_all (snd x)) charged + sum) scale)
  | None => None
  end.

(* --- Proofs: costs ----------------------------------------------------------------------- *)

Lemma changed_before l t t0 : ordered t0 l = true -> t < t0 -> changed_by l t = 0.
Proof.
  revert t0. induction l as [|e l IH]; intros t0 H Ht; [reflexivity|]. cbn [ordered] in H.
  apply andb_true_iff in H as [He Hl]. unfold changed_by. cbn [total]. fold (changed_by l t).
  rewrite (IH (time e) Hl ltac:(lia)). destruct (Z.leb_spec (time e) t); lia.
Qed.

Lemma up_to_now_spec l : forall t t0 c k c' k' l', up_to_now t c k l = (c', k', l') -> ordered t0 l = true ->
  (forall t', t <= t' -> c + k * t' + changed_by l t' = c' + k' * t' + changed_by l' t') /\
  ordered (t + 1) l' = true.
Proof.
  induction l as [|e l IH]; intros t t0 c k c' k' l' H Hl; cbn [up_to_now] in H.
  - inversion H. split; [reflexivity|reflexivity].
  - cbn [ordered] in Hl. apply andb_true_iff in Hl as [He Hl]. destruct (Z.leb_spec (time e) t) as [Hle|Hgt].
    + destruct (IH _ _ _ _ _ _ _ H Hl) as [H1 H2]. split; [|exact H2]. intros t' Ht'. rewrite <- (H1 t' Ht').
      unfold changed_by. cbn [total]. fold (changed_by l t'). destruct (Z.leb_spec (time e) t'); lia.
    + inversion H. subst. split; [reflexivity|]. cbn [ordered]. rewrite Hl, andb_true_r. lia.
Qed.

Lemma stays_below_spec l : forall t t0 c k events, ordered t0 events = true -> stays_below t c k events l = true ->
  forall i, nth i l 0 <= c + k * (t + Z.of_nat i) + changed_by events (t + Z.of_nat i).
Proof.
  induction l as [|g l IH]; intros t t0 c k events Ho H i; cbn [stays_below] in H.
  - destruct events; [|discriminate]. apply andb_true_iff in H as [Hk Hc].
    replace k with 0 by lia. unfold changed_by. cbn [total]. destruct i; cbn [nth]; lia.
  - destruct (up_to_now t c k events) as [[c' k'] events'] eqn:E. apply andb_true_iff in H as [Hg Hl].
    destruct (up_to_now_spec _ _ _ _ _ _ _ _ E Ho) as [H1 H2]. rewrite H1 by lia. destruct i as [|i]; cbn [nth].
    + replace (t + Z.of_nat 0) with t by lia. rewrite (changed_before events' t (t + 1) H2) by lia. lia.
    + specialize (IH (t + 1) (t + 1) c' k' events' H2 Hl i).
      replace (t + Z.of_nat (S i)) with (t + 1 + Z.of_nat i) by lia. exact IH.
Qed.

Lemma convex_list_spec l : convex_list l = true ->
  forall i, nth (S i) l 0 - nth i l 0 <= nth (S (S i)) l 0 - nth (S i) l 0.
Proof.
  induction l as [|a l IH]; intros H i; [destruct i as [|[|i]]; cbn [nth]; lia|]. cbn [convex_list] in H.
  apply andb_true_iff in H as [Ha Hl]. destruct i as [|i]; [|apply (IH Hl i)].
  destruct l as [|b l]; [cbn [nth hd tl] in *; lia|]. destruct l as [|d l]; cbn [nth hd tl] in *; lia.
Qed.

(* Costs from below, whose steps never fall. *)
Definition convex_at (v : vector Z) : Prop := forall t, 0 <= t ->
  at_place 0 v (t + 1) - at_place 0 v t <= at_place 0 v (t + 2) - at_place 0 v (t + 1).
Definition below_costs (events : list event) (v : vector Z) : Prop :=
  convex_at v /\ forall t, 0 <= t -> at_place 0 v t <= changed_by events t.

Lemma convex_at_nothing : convex_at (Vector []).
Proof.
  intros t Ht. unfold at_place. destruct (Z.to_nat t), (Z.to_nat (t + 1)), (Z.to_nat (t + 2)); cbn [nth];
    destruct (0 <=? t), (0 <=? t + 1), (0 <=? t + 2); lia.
Qed.

Lemma checked_costs events l : ordered 0 events && stays_below 0 0 0 events l && convex_list l = true ->
  below_costs events (Vector l).
Proof.
  intros H. apply andb_true_iff in H as [H Hconvex]. apply andb_true_iff in H as [Ho Hbelow].
  split; intros t Ht; cbn [at_place].
  - replace (0 <=? t) with true by lia. replace (0 <=? t + 1) with true by lia. replace (0 <=? t + 2) with true by lia.
    pose proof (convex_list_spec l Hconvex (Z.to_nat t)) as H.
    replace (Z.to_nat (t + 1)) with (S (Z.to_nat t)) by lia. replace (Z.to_nat (t + 2)) with (S (S (Z.to_nat t))) by lia. exact H.
  - replace (0 <=? t) with true by lia. pose proof (stays_below_spec l 0 0 0 0 events Ho Hbelow (Z.to_nat t)) as H.
    rewrite Z2Nat.id in H by exact Ht. rewrite (Z.add_0_l t) in H. lia.
Qed.

Lemma costs_of_kinds_spec events requests : forall known found,
  (forall q v, In (q, v) known -> below_costs (events q) v) -> costs_of_kinds events known requests = Some found ->
  forall q v, In (q, v) found -> below_costs (events q) v.
Proof.
  induction requests as [|q requests IH]; intros known found Hknown H; cbn [costs_of_kinds] in H.
  - inversion H. subst. exact Hknown.
  - destruct (existsb _ known); [apply (IH known found Hknown H)|]. cbv zeta in H.
    destruct (ordered 0 _ && _ && _) eqn:E; [|discriminate]. refine (IH _ found _ H).
    intros q' v [Hq|Hq]; [inversion Hq; subst; apply checked_costs, E|apply Hknown, Hq].
Qed.

(* --- Proofs: Lemma 8 --------------------------------------------------------------------- *)

(* What is known of convex costs when p are the starts. *)
Definition costs_hold (names : list positive) (p : positive -> Z) (x : convex_costs) : Prop :=
  (forall k, In k names -> convex_at (look (Vector []) k (costs_of x))) /\
  total (fun k => convex_cost_of x k (p k)) names <= at_most_all x.

Lemma expand_each requests : expand (map (fun q => (q, 1)) requests) = requests.
Proof. unfold expand. induction requests as [|q requests IH]; [reflexivity|]. cbn [map flat_map]. rewrite IH. reflexivity. Qed.

Lemma costs_at_duals_hold M l d x :
  schedule M (map of l) l -> (forall q, In q (map of l) -> 0 <= prompt q /\ 1 <= output q) ->
  costs_at_duals M (map of l) d = Some x ->
  let A k := look (Attempt (Request 0 0) 0) k (table_from 1 l) in
  costs_hold (names_from 1 l) (fun k => start (A k)) x.
Proof.
  intros Hl Hq H A. set (types := map (fun q => (q, 1)) (map of l)) in *. unfold costs_at_duals in H. fold types in H.
  cbv zeta in H. set (s_min := smallest_prompt types) in *. set (families := of_families d) in *.
  set (lines := lines_of _ _ _ _) in H. destruct (rows_check _ _ _ _ _ _ _) eqn:Hok; [|discriminate].
  destruct (costs_of_kinds _ [] (map of l)) as [known|] eqn:Eknown; [|discriminate].
  destruct (forallb _ (map of l)) eqn:Hall; [|discriminate]. inversion H as [Hx]. clear H. rewrite forallb_forall in Hall.
  assert (HA : map A (names_from 1 l) = l) by apply look_names.
  assert (Hperm : Permutation (map of l) (expand types)) by (unfold types; rewrite expand_each; reflexivity).
  pose proof (rows_hold M types (map of l) l [] families (of_memory d) (of_covers d) (of_branch d) Hl Hperm) as Hrows.
  specialize (Hrows ltac:(intros y Hy; apply in_map_iff in Hy as (q & <- & Hin); apply (Hq q Hin)) ltac:(intros f p []) Hok).
  fold s_min lines in Hrows. pose proof (weak_duality 0 (all_rows M s_min lines families) l Hrows) as Hweak.
  rewrite all_rows_right in Hweak.
  assert (Hgood : forall q, In q (map of l) -> below_costs (row_changes M s_min lines families q) (of_kind known q)).
  { intros q Hin. specialize (Hall q Hin). unfold of_kind. apply existsb_exists in Hall as (y & Hy & Hsame).
    destruct (find (fun x => same (fst x) q) known) as [[q' v]|] eqn:Ef.
    - apply find_some in Ef as [Hin' Hsame']. cbn [fst snd] in *. rewrite <- (row_changes_same M s_min lines families q' q Hsame').
      eapply costs_of_kinds_spec; [|exact Eknown|exact Hin']. intros ? ? [].
    - apply find_none with (x := y) in Ef; [congruence|exact Hy]. }
  assert (Hlook : forall k, In k (names_from 1 l) -> In (A k) l /\
      look (Vector []) k (table_from 1 (map (of_kind known) (map of l))) = of_kind known (of (A k))).
  { intros k Hk. split; [rewrite <- HA; apply in_map, Hk|]. rewrite map_map. unfold A, look. rewrite table_map.
    destruct (PositiveMap.find k (table_from 1 l)) as [a|] eqn:Ea; [reflexivity|]. exfalso.
    clear -Hk Ea. revert Hk Ea. generalize 1%positive as n. induction l as [|y l IH]; intros n Hk Ea; [destruct Hk|].
    cbn [names_from table_from] in *. destruct (Pos.eq_dec k n) as [->|Hne]; [rewrite PositiveMap.gss in Ea; discriminate|].
    rewrite PositiveMap.gso in Ea by exact Hne. apply (IH (Pos.succ n)); [destruct Hk as [Hk|Hk]; [congruence|exact Hk]|exact Ea]. }
  pose proof Hl as (_ & Hvalid & _). rewrite Forall_forall in Hvalid. split; cbn [costs_of at_most_all].
  - intros k Hk. destruct (Hlook k Hk) as [Hin ->]. apply Hgood, in_map, Hin.
  - eapply Z.le_trans; [|apply (Z.le_trans _ (total (priced 0 (all_rows M s_min lines families)) l)); [apply Z.le_refl|lia]].
    rewrite <- HA at 2. rewrite total_map. apply total_le. intros k Hk. unfold convex_cost_of. cbn [costs_of].
    destruct (Hlook k Hk) as [Hin ->]. destruct (Hvalid _ Hin) as [_ Hstart].
    destruct (Hq (of (A k)) ltac:(apply in_map, Hin)) as [_ Ho].
    destruct (A k) as [q t] eqn:EA. cbn [of start] in *.
    rewrite row_changes_spec by lia. rewrite !Z.mul_0_l, !Z.add_0_l. apply Hgood; [apply (in_map of) in Hin; exact Hin|lia].
Qed.

Lemma all_costs_hold M l given found :
  schedule M (map of l) l -> (forall q, In q (map of l) -> 0 <= prompt q /\ 1 <= output q) ->
  all_costs M (map of l) given = Some found ->
  let A k := look (Attempt (Request 0 0) 0) k (table_from 1 l) in
  forall x, In x found -> costs_hold (names_from 1 l) (fun k => start (A k)) x.
Proof.
  intros Hl Hq. revert found. induction given as [|d given IH]; intros found H A x Hx; cbn [all_costs] in H.
  - inversion H. subst. destruct Hx.
  - destruct (costs_at_duals M (map of l) d) as [y|] eqn:Ey; [|discriminate].
    destruct (all_costs M (map of l) given) as [rest|]; [|discriminate]. inversion H. subst. destruct Hx as [<-|Hx].
    + apply (costs_at_duals_hold M l d y Hl Hq Ey).
    + apply (IH rest eq_refl x Hx).
Qed.

(* --- Proofs: Lemma 10 and Theorem 11 ----------------------------------------------------- *)

(* Where the steps of f never fall from a time on, a time of which both neighbours are no cheaper is cheapest. *)
Lemma cheapest_from_le f head over v : cheapest_from f head over = Some v ->
  (forall t, head <= t -> f (t + 1) - f t <= f (t + 2) - f (t + 1)) -> forall t, head <= t -> v <= f t.
Proof.
  unfold cheapest_from. intros H Hf t Ht. set (best := first_rise _ _ _ _) in H.
  destruct (_ && _) eqn:E in H; [|discriminate]. inversion H. subst v. clear H.
  apply andb_true_iff in E as [E Hleft]. apply andb_true_iff in E as [Hhead Hright].
  assert (Hup : forall n, f best <= f (best + Z.of_nat n) /\ 0 <= f (best + Z.of_nat n + 1) - f (best + Z.of_nat n)).
  { induction n as [|n [IH1 IH2]]; [rewrite Z.add_0_r; lia|]. specialize (Hf (best + Z.of_nat n) ltac:(lia)).
    replace (best + Z.of_nat (S n)) with (best + Z.of_nat n + 1) by lia.
    replace (best + Z.of_nat n + 1 + 1) with (best + Z.of_nat n + 2) by lia. lia. }
  destruct (Z.le_gt_cases best t) as [Hge|Hlt].
  - destruct (Hup (Z.to_nat (t - best))) as [H _]. replace (best + Z.of_nat (Z.to_nat (t - best))) with t in H by lia. exact H.
  - assert (Hdown : forall n, head <= best - Z.of_nat n - 1 ->
        f best <= f (best - Z.of_nat n - 1) /\ f (best - Z.of_nat n) - f (best - Z.of_nat n - 1) <= 0).
    { induction n as [|n IH]; intros Hn.
      - replace (best - Z.of_nat 0 - 1) with (best - 1) by lia. replace (best - Z.of_nat 0) with best by lia. lia.
      - destruct (IH ltac:(lia)) as [IH1 IH2]. specialize (Hf (best - Z.of_nat (S n) - 1) Hn).
        replace (best - Z.of_nat (S n) - 1 + 1) with (best - Z.of_nat n - 1) in Hf by lia.
        replace (best - Z.of_nat (S n) - 1 + 2) with (best - Z.of_nat n) in Hf by lia.
        replace (best - Z.of_nat (S n)) with (best - Z.of_nat n - 1) by lia.
        replace (best - Z.of_nat (S n) - 1) with (best - Z.of_nat n - 1 - 1) in Hf by lia. lia. }
    destruct (Hdown (Z.to_nat (best - t - 1)) ltac:(lia)) as [H _].
    replace (best - Z.of_nat (Z.to_nat (best - t - 1)) - 1) with t in H by lia. exact H.
Qed.

Lemma cheapest_starts_le scale heads c charged names v p :
  (forall x, In x charged -> 0 <= fst x /\ forall k, In k names -> convex_at (look (Vector []) k (costs_of (snd x)))) ->
  (forall k, In k names -> look 0 k heads <= p k) ->
  cheapest_starts scale names heads c charged = Some v ->
  v <= total (fun k => (scale - look 0 k c) * p k + charged_at charged k (p k)) names.
Proof.
  revert v. induction names as [|k names IH]; intros v Hcharged Hheads H; cbn [cheapest_starts] in H.
  - inversion H. cbn [total]. lia.
  - cbv zeta in H. destruct (_ && _) eqn:E in H; [|discriminate]. apply andb_true_iff in E as [Hhead _].
    destruct (cheapest_from _ _ _) as [x|] eqn:Ex; [|discriminate].
    destruct (cheapest_starts scale names heads c charged) as [sum|]; [|discriminate]. inversion H. cbn [total].
    apply Z.add_le_mono.
    + apply (cheapest_from_le _ _ _ _ Ex); [|apply Hheads; left; reflexivity]. intros t Ht.
      assert (Hsteps : charged_at charged k (t + 1) - charged_at charged k t <=
          charged_at charged k (t + 2) - charged_at charged k (t + 1)); [|lia].
      assert (Hk : forall x, In x charged -> 0 <= fst x /\ convex_at (look (Vector []) k (costs_of (snd x))))
        by (intros y Hy; destruct (Hcharged y Hy) as [Hy1 Hy2]; split; [exact Hy1|apply Hy2; left; reflexivity]).
      clear -Hk Ht Hhead. unfold charged_at. induction charged as [|y charged IHc]; cbn [total]; [lia|].
      specialize (IHc (fun z Hz => Hk z (or_intror Hz))). destruct (Hk y (or_introl eq_refl)) as [Hy Hconvex].
      specialize (Hconvex t ltac:(lia)). fold (convex_cost_of (snd y) k t) (convex_cost_of (snd y) k (t + 1)) (convex_cost_of (snd y) k (t + 2)) in Hconvex.
      apply (Z.mul_le_mono_nonneg_l _ _ (fst y) Hy) in Hconvex. rewrite !Z.mul_sub_distr_l in Hconvex. lia.
    + apply IH; [|intros k' Hk'; apply Hheads; right; exact Hk'|reflexivity].
      intros y Hy. destruct (Hcharged y Hy) as [Hy1 Hy2]. split; [exact Hy1|]. intros k' Hk'. apply Hy2. right. exact Hk'.
Qed.

(* Theorem 11 of event_order.md. *)
Theorem priced_bound scale names heads c value charged p b : 1 <= scale -> value <= start_sum p names c ->
  (forall x, In x charged -> 0 <= fst x /\ costs_hold names p (snd x)) ->
  (forall k, In k names -> look 0 k heads <= p k) ->
  priced_value scale names heads c value charged = Some b -> b <= total p names.
Proof.
  unfold priced_value. intros Hscale Hvalue Hcharged Hheads H.
  destruct (cheapest_starts scale names heads c charged) as [sum|] eqn:E; [|discriminate]. inversion H as [Hb]. clear H Hb.
  apply (cheapest_starts_le scale heads c charged names sum p) in E; [|intros x Hx; split; apply (Hcharged x Hx)|exact Hheads].
  rewrite total_add in E.
  assert (Hall : total (fun k => charged_at charged k (p k)) names <= total (fun x => fst x * at_most_all (snd x)) charged).
  { unfold charged_at. rewrite (total_swap (fun k x => fst x * convex_cost_of (snd x) k (p k))). apply total_le.
    intros x Hx. rewrite total_scale. destruct (Hcharged x Hx) as [H1 [_ H2]]. apply Z.mul_le_mono_nonneg_l; assumption. }
  assert (Hsum : start_sum p names c + total (fun k => (scale - look 0 k c) * p k) names = scale * total p names).
  { unfold start_sum. rewrite <- total_add, <- total_scale. apply total_ext. intros k _. ring. }
  unfold ceil_div. set (B := value - _ + sum). assert (HB : B <= scale * total p names) by (unfold B; lia).
  assert (- total p names <= - B / scale); [|lia]. apply Z.div_le_lower_bound; lia.
Qed.
