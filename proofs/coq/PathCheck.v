(* A checker of certificates by paths, the rule "aggregate-state" of FORMAT.md, that can be executed
   in Coq: `paths_bound`.  By `paths_sound` what it returns is a lower bound on the cost of
   every schedule.

   It makes tables of the cheapest paths to all states, and then checks that no event leads
   below them.  Only the second counts: that the tables are what they should be is not
   proved, and need not be. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import Model Sums Staircase Prices Paths Vectors.
Import ListNotations.
Open Scope Z_scope.

(* The proof part of a certificate: the scale; the prices of starts, a list for each prompt;
   the worth of each type; (level, time, price) of staircases; the moments.  The horizon is
   the number of moments. *)
Record path_proof := PathProof {
  scale : Z;
  of_start : list (Z * list Z);
  of_worth : list (request * Z);
  of_stairs : list (Z * Z * Z);
  of_moments : list Z
}.

Definition horizon (p : path_proof) : Z := Z.of_nat (length (of_moments p)).

(* The entry t of a list, 0 outside of 0 <= t < H. *)
Definition entry (H : Z) (prices : vector Z) (t : Z) : Z :=
  if (0 <=? t) && (t <? H) then at_place 0 prices t else 0.

Definition start_price (H : Z) (prices : list (Z * vector Z)) (s t : Z) : Z :=
  match find (fun x => fst x =? s) prices with Some x => entry H (snd x) t | None => 0 end.

Definition worth_of (worth : list (request * Z)) (q : request) : Z :=
  match find (fun x => same (fst x) q) worth with Some x => snd x | None => 0 end.

Definition moment_price (H : Z) (moments : vector Z) (t : Z) : Z := Z.max 0 (entry H moments t).

(* 0, ..., n; and all states. *)
Definition upto (n : Z) : list Z := map Z.of_nat (seq 0 (Z.to_nat (n + 1))).
Definition all_pairs (R M : Z) : list (Z * Z) := list_prod (upto R) (upto M).

(* What cheapest paths to states cost, by number of the state; `far` if there is none. *)
Definition table := vector Z.
Definition far : Z := 2 ^ 61.
Definition nothing : table := Vector [].

Section Check.
  (* The memory, the types, how many can run, the scale, the horizon, the prices. *)
  Context (M s_min R : Z) (types : list request) (D H : Z)
    (sigma : Z -> Z -> Z) (w : request -> Z) (stairs : list (Z * Z * Z)) (kappa : Z -> Z).
  (* All states, listed once. *)
  Context (grid : list (Z * Z)).

  (* The windows of a type: (time, window, price) for each staircase. *)
  Definition windows_of (q : request) : list (Z * Z * Z) :=
    map (fun x => (snd (fst x), window M s_min (fst (fst x)) q, snd x)) stairs.

  (* What a completion at t costs, r being rest (t). *)
  Definition fast_cost (r : Z) (q : request) (wq : Z) (windows : list (Z * Z * Z)) (t : Z) : Z :=
    let p := t - output q in
    D * t - wq - sigma (prompt q) p
    + total (fun x => if (fst (fst x) - snd (fst x) <? p) && (p <=? fst (fst x)) then snd x else 0)
        windows
    + (prompt q + output q) ^ 2 * r.

  Definition prepared : list (request * (Z * list (Z * Z * Z))) :=
    map (fun q => (q, (w q, windows_of q))) types.

  Definition costs_at (t : Z) (from : list (request * (Z * list (Z * Z * Z)))) : list (request * Z) :=
    let r := rest H kappa t in
    map (fun x => (fst x, fast_cost r (fst x) (fst (snd x)) (snd (snd x)) t)) from.

  Definition starts_at (t : Z) (prompts : list Z) : list (Z * Z) :=
    let r := rest H kappa (t + 1) in map (fun s => (s, sigma s t - s ^ 2 * r)) prompts.

  Definition number_of (K W : Z) : Z := K * (M + 1) + W.
  Definition at_state (T : table) (K W : Z) : option Z :=
    let v := at_place far T (number_of K W) in if v =? far then None else Some v.


  (* May a request of type q complete in state (K, W)? *)
  Definition legal (K W : Z) (q : request) : bool :=
    let K' := K - 1 in
    let W' := W - (prompt q + output q) in
    ((1 <=? K') && (K' * (s_min + 1) <=? W')) || ((K' =? 0) && (W' =? 0)).

  (* --- The tables (nothing is proved about them) --- *)

  Definition size_of_tables : Z := (R + 1) * (M + 1).
  Definition grid_vector : vector (Z * Z) := Vector grid.

  (* The least of `best` and what leads here from (how far in the table, how many tokens, cost), if it fits. *)
  Fixpoint least_from (known : Z -> Z) (low high i W : Z) (best : Z) (steps : list (Z * (Z * Z))) : Z :=
    match steps with
    | [] => best
    | (offset, (tokens, c)) :: rest =>
        let w := W + tokens in
        let best' := if (w <? low) || (high <? w) then best
          else let v := known (i + offset) in
            if v =? far then best else let v' := v + c in if v' <? best then v' else best in
        least_from known low high i W best' rest
    end.

  Definition after_completions (places : vector (Z * Z)) (t : Z) (costs : list (request * Z)) (C : table) : table :=
    let last := size_of_tables - 1 in
    let steps := map (fun x => let peak := prompt (fst x) + output (fst x) in (M + 1 + peak, (peak, snd x)))
      (filter (fun x => output (fst x) <=? t) costs) in
    let flipped := build far size_of_tables (fun below p =>
      let i := last - p in
      let (K, W) := at_place (0, 0) places i in
      let known := at_place far C i in
      if ((1 <=? K) && (K * (s_min + 1) <=? W)) || ((K =? 0) && (W =? 0))
      then least_from (fun j => at_place far below (last - j)) 0 M i W known steps
      else known) in
    Vectors.tabulate size_of_tables (fun i => at_place far flipped (last - i)).

  Definition after_starts (places : vector (Z * Z)) (t : Z) (costs : list (Z * Z)) (C : table) : table :=
    let k := kappa t in
    let steps := map (fun x => (- (M + 1) - fst x, (- fst x, snd x))) costs in
    build far size_of_tables (fun below i =>
      let (K, W) := at_place (0, 0) places i in
      let v := at_place far C i in
      least_from (at_place far below) 0 M i W (if v =? far then far else v + k * least_squares K W) steps).

  Definition after_round (places : vector (Z * Z)) (t : Z) (S : table) : table :=
    let r := rest H kappa (t + 1) in
    Vectors.tabulate size_of_tables (fun i =>
      let (K, W) := at_place (0, 0) places i in
      let w := W - K in
      if (1 <=? K) && (0 <=? w)
      then let v := at_place far S (i - K) in if v =? far then far else v - (2 * w + K) * r
      else far).

  Fixpoint tables (n : nat) (t : Z) (from : list (request * (Z * list (Z * Z * Z))))
      (prompts : list Z) (places : vector (Z * Z)) (C : table) : list (table * table) :=
    let C' := after_completions places t (costs_at t from) C in
    match n with
    | O => [(C', nothing)]
    | S n' =>
        let St := after_starts places t (starts_at t prompts) C' in
        (C', St) :: tables n' (t + 1) from prompts places (after_round places t St)
    end.

  (* --- The check --- *)

  Definition at_most (T : table) (K W v : Z) : bool :=
    match at_state T K W with Some v' => v' <=? v | None => false end.

  Definition all_states (T : table) (f : Z -> Z -> Z -> bool) : bool :=
    forallb (fun x => match at_state T (fst x) (snd x) with
      | Some v => f (fst x) (snd x) v | None => true end) grid.

  (* No event at time t leads below the tables: completions, the way to the starts, starts,
     and the round to the next time; and no end is below V. *)
  Definition check_time (late V t : Z) (from : list (request * (Z * list (Z * Z * Z))))
      (prompts : list Z) (C St next : table) : bool :=
    let costs := costs_at t from in
    all_states C (fun K W v => forallb (fun x =>
      negb ((output (fst x) <=? t) && legal K W (fst x))
      || at_most C (K - 1) (W - (prompt (fst x) + output (fst x))) (v + snd x)) costs)
    && (negb (1 <=? t) || match at_state C 0 0 with Some v => V <=? v | None => true end)
    && if t <? H then
         let k := kappa t in
         let starting := starts_at t prompts in
         let r := rest H kappa (t + 1) in
         all_states C (fun K W v => at_most St K W (v + k * least_squares K W))
         && all_states St (fun K W v =>
              forallb (fun x => negb ((K + 1 <=? R) && (W + fst x <=? M))
                || at_most St (K + 1) (W + fst x) (v + snd x)) starting
              && (negb ((1 <=? K) && (W + K <=? M))
                || at_most next K (W + K) (v + - (2 * W + K) * r)))
       else all_states C (fun K W v => V <=? v + K * late).

  Definition table_at (all : list (table * table)) (t : Z) : table * table :=
    nth (Z.to_nat t) all (nothing, nothing).

  Fixpoint check_times (late V t : Z) (from : list (request * (Z * list (Z * Z * Z))))
      (prompts : list Z) (all : list (table * table)) : bool :=
    match all with
    | [] => true
    | (C, St) :: others =>
        check_time late V t from prompts C St (fst (hd (nothing, nothing) others))
        && check_times late V (t + 1) from prompts others
    end.

  (* The least of 0 and what completions after H cost that started by H. *)
  Definition late_cost (from : list (request * (Z * list (Z * Z * Z)))) : Z :=
    fold_right Z.min 0 (flat_map (fun x => map (fun i =>
      let t := H + 1 + Z.of_nat i in
      if 0 <=? t - output (fst x)
      then fast_cost (rest H kappa t) (fst x) (fst (snd x)) (snd (snd x)) t else 0)
      (seq 0 (Z.to_nat (output (fst x))))) from).

  (* The least cost of an end, from the tables. *)
  Definition least_end (late : Z) (all : list (table * table)) : option Z :=
    let ends :=
      flat_map (fun x => match at_state (fst x) 0 0 with Some v => [v] | None => [] end) (tl all)
      ++ flat_map (fun x => match at_state (fst (table_at all H)) (fst x) (snd x) with
           | Some v => [v + fst x * late] | None => [] end) grid in
    match ends with [] => None | x :: others => Some (fold_right Z.min x others) end.

  Definition cheapest_checked (prompts : list Z) : option Z :=
    let from := prepared in
    let all := tables (Z.to_nat H) 0 from prompts grid_vector
      (Vectors.tabulate size_of_tables (fun i => if i =? 0 then 0 else far)) in
    let late := late_cost from in
    match least_end late all with
    | None => None
    | Some V =>
        if (length all =? S (Z.to_nat H))%nat
          && at_most (fst (table_at all 0)) 0 0 0
          && check_times late V 0 from prompts all
        then Some V else None
    end.

  (* --- Proofs --- *)

  Context (Hgrid : grid = all_pairs R M).

  Lemma fast_cost_spec q t :
    fast_cost (rest H kappa t) q (w q) (windows_of q) t =
    completion_cost M s_min D H sigma w stairs kappa q t.
  Proof.
    unfold fast_cost, completion_cost, windows_of. rewrite total_map. f_equal. f_equal.
    apply total_ext. intros [[m u] p] _. cbn [fst snd]. unfold in_window. cbn [start of].
    destruct (_ && _); lia.
  Qed.

  Lemma costs_at_spec t x : In x (costs_at t prepared) <->
    exists q, In q types /\ x = (q, completion_cost M s_min D H sigma w stairs kappa q t).
  Proof.
    unfold costs_at, prepared. rewrite map_map, in_map_iff. cbn [fst snd]. split.
    - intros (q & <- & Hq). exists q. split; [exact Hq|]. rewrite fast_cost_spec. reflexivity.
    - intros (q & Hq & ->). exists q. split; [|exact Hq]. rewrite fast_cost_spec. reflexivity.
  Qed.

  Lemma in_upto n z : In z (upto n) <-> 0 <= z <= n.
  Proof.
    unfold upto. rewrite in_map_iff. split.
    - intros (i & <- & Hi). apply in_seq in Hi. lia.
    - intros Hz. exists (Z.to_nat z). split; [lia|]. apply in_seq. lia.
  Qed.

  Lemma all_states_spec T f : all_states T f = true ->
    forall K W v, 0 <= K <= R -> 0 <= W <= M -> at_state T K W = Some v -> f K W v = true.
  Proof.
    intros Hall K W v HK HW Hv. unfold all_states in Hall. rewrite forallb_forall in Hall.
    rewrite Hgrid in Hall. specialize (Hall (K, W)). cbn [fst snd] in Hall. rewrite Hv in Hall. apply Hall.
    apply in_prod; apply in_upto; assumption.
  Qed.

  Lemma at_most_spec T K W v : at_most T K W v = true ->
    exists v', at_state T K W = Some v' /\ v' <= v.
  Proof.
    unfold at_most. destruct (at_state T K W) as [v'|]; [|discriminate].
    intros E. exists v'. split; [reflexivity|lia].
  Qed.

  Lemma check_times_spec late V from prompts all t0 :
    check_times late V t0 from prompts all = true ->
    forall i, (i < length all)%nat ->
    check_time late V (t0 + Z.of_nat i) from prompts
      (fst (nth i all (nothing, nothing))) (snd (nth i all (nothing, nothing)))
      (fst (nth (S i) all (nothing, nothing))) = true.
  Proof.
    revert t0. induction all as [|[C St] others IH]; intros t0 Hall i Hi; [simpl in Hi; lia|].
    cbn [check_times] in Hall. apply andb_true_iff in Hall as [Hhere Hothers].
    destruct i as [|i].
    - rewrite Z.add_0_r. cbn [nth fst snd]. destruct others; exact Hhere.
    - cbn [length] in Hi. specialize (IH (t0 + 1) Hothers i ltac:(lia)).
      replace (t0 + Z.of_nat (S i)) with (t0 + 1 + Z.of_nat i) by lia. exact IH.
  Qed.

  Context (requests : list request).

  (* Whatever path leads to a state, the table has no more than its cost. *)
  Lemma tables_below late V prompts all :
    1 <= H -> 0 <= M -> 0 <= s_min -> R = most_running M requests s_min ->
    (forall q, In q requests ->
      In q types /\ In (prompt q) prompts /\ 0 <= prompt q /\ 1 <= output q) ->
    length all = S (Z.to_nat H) ->
    at_most (fst (table_at all 0)) 0 0 0 = true ->
    check_times late V 0 prepared prompts all = true ->
    forall phase t K W c,
      path M requests s_min D H sigma w stairs kappa phase t K W c ->
      0 <= t <= H /\ 0 <= K /\ 0 <= W /\
      match phase with
      | Completing => K <= R /\ W <= M /\
          exists v, at_state (fst (table_at all t)) K W = Some v /\ v <= c
      | Starting => t < H /\ (K <= R -> W <= M ->
          exists v, at_state (snd (table_at all t)) K W = Some v /\ v <= c)
      end.
  Proof.
    intros HH HM Hs HR Hreq Hlen Hfirst Hcheck.
    assert (Hat : forall t, 0 <= t <= H -> check_time late V t prepared prompts
        (fst (table_at all t)) (snd (table_at all t)) (fst (table_at all (t + 1))) = true).
    { intros t Ht. pose proof (check_times_spec late V prepared prompts all 0 Hcheck (Z.to_nat t)
        ltac:(lia)) as E. unfold table_at. replace (Z.to_nat (t + 1)) with (S (Z.to_nat t)) by lia.
      replace (0 + Z.of_nat (Z.to_nat t)) with t in E by lia. exact E. }
    assert (HR0 : 0 <= R).
    { rewrite HR. unfold most_running. apply Z.min_glb; [lia|apply Z.div_pos; lia]. }
    intros phase t K W c Hpath. induction Hpath as
      [|t K W c q Hpath IH Hq Ho Hlegal|t K W c Hpath IH Ht|t K W c q Hpath IH Hq
       |t K W c Hpath IH HK HW].
    - (* time 0 *)
      destruct (at_most_spec _ _ _ _ Hfirst) as (v & Hv & Hle).
      repeat split; try lia. exists v. auto.
    - (* a completion *)
      destruct IH as (Ht & HK0 & HW0 & HKR & HWM & v & Hv & Hle).
      destruct (Hreq q Hq) as (Hqt & _ & Hp & Hout).
      specialize (Hat t Ht). unfold check_time in Hat.
      apply andb_true_iff in Hat as [Hat _]. apply andb_true_iff in Hat as [Hat _].
      pose proof (all_states_spec _ _ Hat K W v ltac:(lia) ltac:(lia) Hv) as Hall. cbv beta in Hall.
      rewrite forallb_forall in Hall.
      specialize (Hall (q, completion_cost M s_min D H sigma w stairs kappa q t)
        (proj2 (costs_at_spec t _) (ex_intro _ q (conj Hqt eq_refl)))).
      cbn [fst snd] in Hall.
      assert (Hb : (output q <=? t) && legal K W q = true).
      { apply andb_true_iff. split; [lia|]. unfold legal. apply orb_true_iff.
        destruct Hlegal as [[H1 H2]|[H1 H2]]; [left|right]; apply andb_true_iff; lia. }
      rewrite Hb in Hall. cbn [andb orb negb] in Hall. destruct (at_most_spec _ _ _ _ Hall) as (v' & Hv' & Hle').
      assert (0 <= W - (prompt q + output q)) by nia.
      repeat split; try lia. exists v'. split; [exact Hv'|lia].
    - (* to the starts *)
      destruct IH as (Ht' & HK0 & HW0 & HKR & HWM & v & Hv & Hle).
      specialize (Hat t Ht'). unfold check_time in Hat.
      apply andb_true_iff in Hat as [_ Hat]. replace (t <? H) with true in Hat by lia.
      apply andb_true_iff in Hat as [Hat _].
      pose proof (all_states_spec _ _ Hat K W v ltac:(lia) ltac:(lia) Hv) as Hall. cbv beta in Hall.
      destruct (at_most_spec _ _ _ _ Hall) as (v' & Hv' & Hle').
      repeat split; try lia. intros _ _. exists v'. split; [exact Hv'|lia].
    - (* a start *)
      destruct IH as (Ht & HK0 & HW0 & HtH & IH). destruct (Hreq q Hq) as (_ & Hqp & Hp & _).
      repeat split; try lia. intros HKR HWM.
      destruct (IH ltac:(lia) ltac:(lia)) as (v & Hv & Hle).
      specialize (Hat t Ht). unfold check_time in Hat.
      apply andb_true_iff in Hat as [_ Hat]. replace (t <? H) with true in Hat by lia.
      apply andb_true_iff in Hat as [_ Hat].
      pose proof (all_states_spec _ _ Hat K W v ltac:(lia) ltac:(lia) Hv) as Hall. cbv beta in Hall.
      apply andb_true_iff in Hall as [Hall _]. rewrite forallb_forall in Hall.
      specialize (Hall (prompt q, start_cost H sigma kappa (prompt q) t)).
      cbn [fst snd] in Hall. replace (K + 1 <=? R) with true in Hall by lia.
      replace (W + prompt q <=? M) with true in Hall by lia. cbn [andb orb negb] in Hall.
      destruct (at_most_spec _ _ _ _ (Hall ltac:(unfold starts_at; apply in_map_iff;
        exists (prompt q); split; [reflexivity|exact Hqp]))) as (v' & Hv' & Hle').
      exists v'. split; [exact Hv'|lia].
    - (* a round *)
      destruct IH as (Ht & HK0 & HW0 & HtH & IH). rewrite <- HR in HK.
      destruct (IH ltac:(lia) ltac:(lia)) as (v & Hv & Hle).
      specialize (Hat t Ht). unfold check_time in Hat.
      apply andb_true_iff in Hat as [_ Hat]. replace (t <? H) with true in Hat by lia.
      apply andb_true_iff in Hat as [_ Hat].
      pose proof (all_states_spec _ _ Hat K W v ltac:(lia) ltac:(lia) Hv) as Hall. cbv beta in Hall.
      apply andb_true_iff in Hall as [_ Hall]. replace (1 <=? K) with true in Hall by lia.
      replace (W + K <=? M) with true in Hall by lia. cbn [andb orb negb] in Hall.
      destruct (at_most_spec _ _ _ _ Hall) as (v' & Hv' & Hle').
      repeat split; try lia. exists v'. split; [exact Hv'|]. unfold round_cost. lia.
  Qed.

  Lemma late_cost_spec q t : In q types ->
    0 <= output q -> H < t -> 0 <= t - output q <= H ->
    late_cost prepared <= completion_cost M s_min D H sigma w stairs kappa q t.
  Proof.
    intros Hq Ho Ht Hto.
    assert (Hleast : forall l z, In z l -> fold_right Z.min 0 l <= z).
    { induction l as [|y l IH]; intros z [].
      - subst. simpl. lia.
      - specialize (IH z H0). simpl. lia. }
    apply Hleast. apply in_flat_map. exists (q, (w q, windows_of q)). split.
    - unfold prepared. apply in_map_iff. exists q. auto.
    - apply in_map_iff. exists (Z.to_nat (t - H - 1)). split; [|apply in_seq; cbn [fst]; lia].
      cbn [fst snd]. replace (H + 1 + Z.of_nat (Z.to_nat (t - H - 1))) with t by lia.
      replace (0 <=? t - output q) with true by lia. apply fast_cost_spec.
  Qed.

  Lemma late_cost_nonpos from : late_cost from <= 0.
  Proof.
    assert (Hneg : forall l : list Z, fold_right Z.min 0 l <= 0).
    { induction l as [|y l IH]; simpl; lia. }
    apply Hneg.
  Qed.

  (* What is returned is no more than the cost of any path. *)
  Lemma cheapest_checked_spec prompts V :
    1 <= H -> 0 <= M -> 0 <= s_min -> R = most_running M requests s_min ->
    (forall q, In q requests ->
      In q types /\ In (prompt q) prompts /\ 0 <= prompt q /\ 1 <= output q) ->
    cheapest_checked prompts = Some V ->
    late_ok M requests s_min D H sigma w stairs kappa (late_cost prepared) /\
    cheapest_path M requests s_min D H sigma w stairs kappa (late_cost prepared) V.
  Proof.
    intros HH HM Hs HR Hreq Hresult. unfold cheapest_checked in Hresult.
    set (all := tables _ _ _ _ _ _) in Hresult. set (late := late_cost prepared) in *.
    destruct (least_end late all) as [V'|]; [|discriminate].
    destruct ((length all =? S (Z.to_nat H))%nat && _ && _) eqn:E; [|discriminate].
    inversion Hresult. subst V'. clear Hresult.
    apply andb_true_iff in E as [E Hcheck]. apply andb_true_iff in E as [Hlen Hfirst].
    apply Nat.eqb_eq in Hlen.
    pose proof (tables_below late V prompts all HH HM Hs HR Hreq Hlen Hfirst Hcheck) as Hbelow.
    assert (Hat : forall t, 0 <= t <= H -> check_time late V t prepared prompts
        (fst (table_at all t)) (snd (table_at all t)) (fst (table_at all (t + 1))) = true).
    { intros t Ht. pose proof (check_times_spec late V prepared prompts all 0 Hcheck (Z.to_nat t)
        ltac:(lia)) as E. unfold table_at. replace (Z.to_nat (t + 1)) with (S (Z.to_nat t)) by lia.
      replace (0 + Z.of_nat (Z.to_nat t)) with t in E by lia. exact E. }
    split; split.
    - apply late_cost_nonpos.
    - intros q t Hq Ht Hto. destruct (Hreq q Hq) as (Hqt & _ & _ & Ho).
      apply late_cost_spec; [exact Hqt|lia|exact Ht|exact Hto].
    - intros t c Ht Hpath. destruct (Hbelow _ _ _ _ _ Hpath) as (_ & _ & _ & _ & _ & v & Hv & Hle).
      specialize (Hat t ltac:(lia)). unfold check_time in Hat.
      apply andb_true_iff in Hat as [Hat _]. apply andb_true_iff in Hat as [_ Hat].
      replace (1 <=? t) with true in Hat by lia. rewrite Hv in Hat. simpl in Hat. lia.
    - intros K W c Hpath.
      destruct (Hbelow _ _ _ _ _ Hpath) as (_ & HK & HW & HKR & HWM & v & Hv & Hle).
      specialize (Hat H ltac:(lia)). unfold check_time in Hat.
      apply andb_true_iff in Hat as [_ Hat]. replace (H <? H) with false in Hat by lia.
      pose proof (all_states_spec _ _ Hat K W v ltac:(lia) ltac:(lia) Hv) as Hall. cbv beta in Hall.
      lia.
  Qed.
End Check.

(* --- The checker ------------------------------------------------------------------------- *)

(* The memory, the types with their numbers, the proof.  A later list for the same prompt and
   a later worth for the same type do not count. *)
Definition paths_bound (M : Z) (types : list (request * Z)) (p : path_proof) : option Z :=
  let H := horizon p in
  let D := scale p in
  let s_min := smallest_prompt types in
  let n := total (fun x => snd x) types in
  let R := Z.min n (M / (s_min + 1)) in
  let starts := map (fun x => (fst x, Vector (snd x))) (of_start p) in
  let sigma := start_price H starts in
  let w := worth_of (of_worth p) in
  let moments := Vector (of_moments p) in
  let kappa := moment_price H moments in
  let stairs := filter (fun x => negb (snd x =? 0)) (of_stairs p) in
  if (1 <=? D) && (1 <=? H) && (0 <=? M) && (1 <=? n)
    && forallb (fun x => (0 <=? prompt (fst x)) && (1 <=? output (fst x)) && (0 <=? snd x)
         && (release (fst x) =? 0)
         && (w (fst x) <=? D * (H + output (fst x)))) types
    && forallb (fun x => (1 <=? fst (fst x)) && (snd (fst x) <? H) && (0 <=? snd x)) stairs
  then
    match cheapest_checked M s_min R (map fst types) D H sigma w stairs kappa (all_pairs R M)
            (nodup Z.eq_dec (map (fun x => prompt (fst x)) types)) with
    | None => None
    | Some V => Some (ceil_div (V + total (fun x => snd x * w (fst x)) types
        - total (fun x => fst (fst x) * snd x) stairs) D)
    end
  else None.

(* The rule "aggregate-state" of FORMAT.md: whatever the prices are, if the checker returns a
   number, then every schedule of these requests costs at least that. *)
Theorem paths_sound M types p result requests l :
  paths_bound M types p = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold paths_bound. intros Hresult Hperm Hl.
  set (H := horizon p) in *. set (D := scale p) in *. set (s_min := smallest_prompt types) in *.
  set (n := total (fun x => snd x) types) in *. set (R := Z.min n (M / (s_min + 1))) in *.
  set (starts := map _ (of_start p)) in *. set (sigma := start_price H starts) in *.
  set (w := worth_of (of_worth p)) in *. set (moments := Vector (of_moments p)) in *.
  set (kappa := moment_price H moments) in *. set (stairs := filter _ (of_stairs p)) in *.
  destruct ((1 <=? D) && _ && _ && _ && _ && _) eqn:E; [|discriminate].
  apply andb_true_iff in E as [E Hstairs]. apply andb_true_iff in E as [E Htypes].
  apply andb_true_iff in E as [E Hn]. apply andb_true_iff in E as [E HM].
  apply andb_true_iff in E as [HD HH].
  rewrite forallb_forall in Hstairs, Htypes.
  destruct (cheapest_checked _ _ _ _ _ _ _ _ _ _ _ _) as [V|] eqn:EV; [|discriminate].
  inversion Hresult as [Eresult]. clear Hresult Eresult.
  assert (Hcounts : forall x, In x types -> 0 <= snd x).
  { intros x Hx. specialize (Htypes x Hx). lia. }
  assert (Hin : forall q, In q requests -> exists k, In (q, k) types).
  { intros q Hq. apply in_expand. apply (Permutation_in _ Hperm). exact Hq. }
  assert (Hlen : Z.of_nat (length requests) = n).
  { rewrite <- (Z.mul_1_l (Z.of_nat _)), <- total_const, (total_permutation _ _ _ Hperm).
    rewrite total_expand by exact Hcounts. apply total_ext. intros. lia. }
  assert (Hs0 : 0 <= s_min).
  { apply smallest_prompt_nonneg. intros x Hx. specialize (Htypes x Hx). lia. }
  assert (HR : R = most_running M requests s_min).
  { unfold R, most_running. rewrite Hlen. reflexivity. }
  destruct (cheapest_checked_spec M s_min R (map fst types) D H sigma w stairs kappa (all_pairs R M) eq_refl requests
    (nodup Z.eq_dec (map (fun x => prompt (fst x)) types)) V) as [Hlate Hcheap]; try lia; auto.
  { intros q Hq. destruct (Hin q Hq) as (k & Hk). specialize (Htypes (q, k) Hk). cbn [fst] in Htypes.
    repeat split; try lia.
    - apply in_map_iff. exists (q, k). auto.
    - apply nodup_In. apply in_map_iff. exists (q, k). auto. }
  assert (Hzero : at_once requests).
  { apply (at_once_expand types); [|exact Hperm]. intros x Hx. specialize (Htypes x Hx). lia. }
  rewrite (cost_at_once M requests l Hl Hzero).
  rewrite <- (total_expand w types Hcounts), <- (total_permutation w _ _ Hperm).
  apply (path_bound M requests s_min D H sigma w stairs kappa
    (late_cost D H sigma kappa (prepared M s_min (map fst types) w stairs)) V l);
    try assumption; try lia.
  - repeat split; try lia.
    + intros s t Ht. unfold sigma, start_price. destruct (find _ starts) as [x|]; [|reflexivity].
      unfold entry. replace (t <? H) with false by lia. rewrite andb_false_r. reflexivity.
    + intros q Hq. destruct (Hin q Hq) as (k & Hk). specialize (Htypes (q, k) Hk).
      cbn [fst] in Htypes. lia.
    + specialize (Hstairs (m, u, p0) H0). cbn [fst snd] in Hstairs. lia.
    + specialize (Hstairs (m, u, p0) H0). cbn [fst snd] in Hstairs. lia.
    + specialize (Hstairs (m, u, p0) H0). cbn [fst snd] in Hstairs. lia.
    + intros t. unfold kappa, moment_price. lia.
    + intros t Ht. unfold kappa, moment_price, entry. replace (t <? H) with false by lia.
      rewrite andb_false_r. reflexivity.
  - intros q Hq. destruct (Hin q Hq) as (k & Hk). split; [exact Hs0|].
    apply (smallest_prompt_le types q k), Hk.
  - intros ->. simpl in Hlen. lia.
Qed.
