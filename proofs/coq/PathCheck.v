(* A checker of certificates by paths, the rule "aggregate-state" of FORMAT.md, that can be executed
   in Coq: `paths_bound`.  By `paths_sound` what it returns is a lower bound on the cost of
   every schedule.

   It makes tables of the cheapest paths to all states, one after the other; each entry is no more than
   what any event leads there from.  What events cost is found from sums that are made once. *)

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

(* What cheapest paths to states cost, by number of the state, about `far` if there is none. *)
Definition table := vector Z.

(* The sum of all prices from each time on, the last time first. *)
Definition sums_from (H : Z) (kappa : Z -> Z) : vector Z :=
  build 0 (H + 1) (fun below j => if j =? 0 then 0 else at_place 0 below (j - 1) + kappa (H - j)).

(* The least of f 0, ..., f (n - 1), and of what is found. *)
Fixpoint least_until (n : nat) (f : Z -> Z) (found : Z) : Z :=
  match n with O => found | S n' => least_until n' f (Z.min found (f (Z.of_nat n'))) end.

(* An entry, and how far it is from each of those from which a step leads here, with its cost. *)
Fixpoint least_from (far : Z) (below : table) (p found : Z) (steps : list (Z * Z)) : Z :=
  match steps with
  | [] => found
  | (offset, c) :: rest =>
      let v := at_place far below (p - offset) + c in
      least_from far below p (if v <? found then v else found) rest
  end.

(* Of (size, step), steps by room: those whose size is no more. *)
Definition by_room (M : Z) (steps : list (Z * (Z * Z))) : vector (list (Z * Z)) :=
  let sized := collect (M + 1) steps in
  build [] (M + 1) (fun below r => rev_append (at_place [] sized r) (at_place [] below (r - 1))).

Section Check.
  (* The memory, the types, how many can run, the scale, the horizon, the prices; more than any path costs. *)
  Context (M s_min R : Z) (types : list request) (D H : Z)
    (sigma : Z -> Z -> Z) (w : request -> Z) (stairs : list (Z * Z * Z)) (kappa : Z -> Z) (far : Z).

  (* --- What events cost --- *)

  Definition rest_at (rests : vector Z) (t : Z) : Z := at_place 0 rests (H - t).

  (* What is added to, and taken from, the prices of staircases that a start pays, at which times. *)
  Definition stair_changes (q : request) : list (Z * Z) :=
    flat_map (fun x => let u := snd (fst x) in
      [(Z.max 0 (u - Z.max 0 (window M s_min (fst (fst x)) q) + 1), snd x); (Z.max 0 (u + 1), - snd x)]) stairs.
  Definition stairs_paid (q : request) : vector Z :=
    let at_times := collect H (stair_changes q) in
    build 0 H (fun below p => at_place 0 below (p - 1) + fold_left Z.add (at_place [] at_times p) 0).

  (* Types, their worth, and what starts pay. *)
  Definition prepared : list (request * (Z * vector Z)) := map (fun q => (q, (w q, stairs_paid q))) types.

  (* What a completion at time t costs, r being rest (t). *)
  Definition fast_cost (r : Z) (x : request * (Z * vector Z)) (t : Z) : Z :=
    let '(q, (worth, paid)) := x in
    let p := t - output q in
    D * t - worth - sigma (prompt q) p + at_place 0 paid p + (prompt q + output q) ^ 2 * r.

  (* The least of 0 and what completions after H cost that started by H. *)
  Definition late_cost (rests : vector Z) (from : list (request * (Z * vector Z))) : Z :=
    fold_left (fun found x =>
      least_until (Z.to_nat (Z.min (output (fst x)) (H + 1)))
        (fun i => let t := H - i + output (fst x) in fast_cost (rest_at rests t) x t) found) from 0.

  (* --- The tables --- *)

  (* States (K, W) have numbers, all last - number in tables before the starts. *)
  Definition number_of (K W : Z) : Z := K * (M + 1) + W.
  Definition size_of_tables : Z := (R + 1) * (M + 1).
  Definition last_state : Z := size_of_tables - 1.

  (* Of each state before the starts, the one before the round, how much the squares grew in it, and the
     room for those who complete. *)
  Definition places_before : vector (Z * (Z * Z)) :=
    tabulate size_of_tables (fun p =>
      let i := last_state - p in
      let (K, W) := (i / (M + 1), i mod (M + 1)) in
      let prior := if (1 <=? K) && (K <=? W) then i - K else -1 in
      let some := if K =? 0 then W =? 0 else K * (s_min + 1) <=? W in
      (prior, (2 * (W - K) + K, if some && (K <? R) then M - W else -1))).

  (* Of each state after the starts, the sum of squares, and the tokens, if there is room for a round. *)
  Definition places_after : vector (Z * Z) :=
    tabulate size_of_tables (fun i =>
      let (K, W) := (i / (M + 1), i mod (M + 1)) in
      if W + K <=? M then (least_squares K W, W) else (0, -1)).

  Definition after_starts (places : vector (Z * Z)) (rests : vector Z) (prompts : list Z) (t : Z) (C : table) : table :=
    let k := kappa t in
    let r := rest_at rests (t + 1) in
    let steps := by_room M (map (fun s => (s, (M + 1 + s, sigma s t - s ^ 2 * r))) prompts) in
    build far size_of_tables (fun below i =>
      let (squares, W) := at_place (0, -1) places i in
      if W <? 0 then far
      else least_from far below i (at_place far C (last_state - i) + k * squares) (at_place [] steps W)).

  (* After the round before time t, and its completions. *)
  Definition after_completions (places : vector (Z * (Z * Z))) (rests : vector Z)
      (from : list (request * (Z * vector Z))) (t : Z) (St : table) : table :=
    let r := rest_at rests t in
    let steps := by_room M (map (fun x =>
        let peak := prompt (fst x) + output (fst x) in (peak, (M + 1 + peak, fast_cost r x t)))
      (filter (fun x => output (fst x) <=? t) from)) in
    build far size_of_tables (fun below p =>
      let '(prior, (growth, room)) := at_place (-1, (0, -1)) places p in
      least_from far below p (if prior <? 0 then far else at_place far St prior - growth * r) (at_place [] steps room)).

  (* From the table of time t on, n rounds before H: the least cost of an end. *)
  Fixpoint least_end (late : Z) (before : vector (Z * (Z * Z))) (after : vector (Z * Z)) (rests : vector Z)
      (from : list (request * (Z * vector Z))) (prompts : list Z) (n : nat) (t : Z) (C : table) (found : Z) : Z :=
    let found' := if 1 <=? t then Z.min found (at_place far C last_state) else found in
    match n with
    | O => least_until (Z.to_nat size_of_tables) (fun i => at_place far C (last_state - i) + i / (M + 1) * late) found'
    | S n' =>
        let St := after_starts after rests prompts t C in
        least_end late before after rests from prompts n' (t + 1) (after_completions before rests from (t + 1) St) found'
    end.

  Definition first_table : table := tabulate size_of_tables (fun p => if p =? last_state then 0 else far).
  Definition cheapest_of_all (late : Z) (rests : vector Z) (from : list (request * (Z * vector Z))) (prompts : list Z) : Z :=
    least_end late places_before places_after rests from prompts (Z.to_nat H) 0 first_table far.

  (* --- Proofs: what events cost --- *)

  Context (HH : 1 <= H).

  Lemma rest_at_spec t : 0 <= t -> rest_at (sums_from H kappa) t = rest H kappa t.
  Proof.
    intros Ht. unfold rest_at. destruct (Z.leb_spec t H) as [Hle|Hlt].
    2:{ rewrite rest_late by lia. unfold sums_from, build. cbn [at_place]. replace (0 <=? H - t) with false by lia. reflexivity. }
    assert (E : forall n, (Z.of_nat n <= H) -> at_place 0 (sums_from H kappa) (Z.of_nat n) = rest H kappa (H - Z.of_nat n)).
    { unfold sums_from. set (f := fun below j => if j =? 0 then 0 else at_place 0 below (j - 1) + kappa (H - j)).
      induction n as [|n IH]; intros Hn.
      - destruct (at_build 0 (H + 1) f (Z.of_nat 0) ltac:(lia)) as (below & -> & _). unfold f. rewrite rest_late by lia. reflexivity.
      - destruct (at_build 0 (H + 1) f (Z.of_nat (S n)) ltac:(lia)) as (below & -> & Hbelow). unfold f at 1.
        destruct (Z.eqb_spec (Z.of_nat (S n)) 0); [lia|]. rewrite Hbelow by lia.
        replace (Z.of_nat (S n) - 1) with (Z.of_nat n) by lia. rewrite IH by lia.
        rewrite (rest_step H kappa (H - Z.of_nat (S n))). destruct (Z.ltb_spec (H - Z.of_nat (S n)) H); [|lia].
        replace (H - Z.of_nat (S n) + 1) with (H - Z.of_nat n) by lia. lia. }
    specialize (E (Z.to_nat (H - t)) ltac:(lia)). rewrite Z2Nat.id in E by lia. rewrite E. f_equal. lia.
  Qed.

  Lemma sum_of_list l : forall a, fold_left Z.add l a = a + total (fun x => x) l.
  Proof. induction l as [|x l IH]; intros a; cbn [fold_left total]; [lia|]. rewrite IH. lia. Qed.

  Lemma sum_collected n (pairs : list (Z * Z)) p : 0 <= p < n ->
    fold_left Z.add (at_place [] (collect n pairs) p) 0 = total (fun x => if fst x =? p then snd x else 0) pairs.
  Proof.
    intros Hp. unfold collect. rewrite at_tabulate by exact Hp. rewrite sum_of_list, Z.add_0_l.
    rewrite (total_permutation _ _ _ (Permutation_sym (Permutation_rev _))), total_map, total_filter. reflexivity.
  Qed.

  Lemma stairs_paid_spec q p : 0 <= p -> (forall x, In x stairs -> snd (fst x) < H) ->
    at_place 0 (stairs_paid q) p = total (fun x => snd x *
      if in_window M s_min (fst (fst x)) (snd (fst x)) (Attempt q p) then 1 else 0) stairs.
  Proof.
    intros Hp Hstairs.
    assert (E : p < H -> at_place 0 (stairs_paid q) p = total (fun x => if fst x <=? p then snd x else 0) (stair_changes q)).
    { intros HpH. unfold stairs_paid. rewrite <- (Z2Nat.id p Hp) in *. set (n := Z.to_nat p) in *. clearbody n. clear Hp.
      set (f := fun below p => at_place 0 below (p - 1) + fold_left Z.add (at_place [] (collect H (stair_changes q)) p) 0).
      induction n as [|n IH].
      - destruct (at_build 0 H f (Z.of_nat 0) ltac:(lia)) as (below & -> & _). unfold f. rewrite sum_collected by lia. replace (at_place 0 below (Z.of_nat 0 - 1)) with 0 by (destruct below; reflexivity).
        rewrite Z.add_0_l. apply total_ext. intros x Hx. apply in_flat_map in Hx as (y & _ & Hx). cbn [In] in Hx.
        assert (0 <= fst x) by (destruct Hx as [<-|[<-|[]]]; cbn [fst]; lia).
        destruct (Z.eqb_spec (fst x) (Z.of_nat 0)), (Z.leb_spec (fst x) (Z.of_nat 0)); lia.
      - destruct (at_build 0 H f (Z.of_nat (S n)) ltac:(lia)) as (below & -> & Hbelow). unfold f at 1.
        rewrite Hbelow, sum_collected by lia. replace (Z.of_nat (S n) - 1) with (Z.of_nat n) by lia.
        rewrite IH by lia. rewrite <- total_add. apply total_ext. intros x _.
        destruct (Z.leb_spec (fst x) (Z.of_nat n)), (Z.eqb_spec (fst x) (Z.of_nat (S n))), (Z.leb_spec (fst x) (Z.of_nat (S n))); lia. }
    assert (Hone : forall x, snd x * (if in_window M s_min (fst (fst x)) (snd (fst x)) (Attempt q p) then 1 else 0)
      = (if Z.max 0 (snd (fst x) - Z.max 0 (window M s_min (fst (fst x)) q) + 1) <=? p then snd x else 0)
        + (if Z.max 0 (snd (fst x) + 1) <=? p then - snd x else 0)).
    { intros [[m u] c]. cbn [fst snd]. unfold in_window. cbn [start of].
      destruct (Z.ltb_spec (u - window M s_min m q) p), (Z.leb_spec p u),
        (Z.leb_spec (Z.max 0 (u - Z.max 0 (window M s_min m q) + 1)) p), (Z.leb_spec (Z.max 0 (u + 1)) p); cbn [andb]; lia. }
    rewrite (total_ext _ _ stairs (fun x _ => Hone x)).
    destruct (Z.lt_ge_cases p H) as [HpH|HpH].
    - rewrite E by exact HpH. unfold stair_changes. induction stairs as [|x l IH]; [reflexivity|].
      cbn [flat_map app total fst snd]. rewrite IH by (intros y Hy; apply Hstairs; right; exact Hy). lia.
    - unfold stairs_paid. rewrite (total_ext _ (fun _ => 0)).
      + rewrite total_const, Z.mul_0_l. apply at_build_beyond. lia.
      + intros x Hx. specialize (Hstairs x Hx).
        destruct (Z.leb_spec (Z.max 0 (snd (fst x) - Z.max 0 (window M s_min (fst (fst x)) q) + 1)) p),
          (Z.leb_spec (Z.max 0 (snd (fst x) + 1)) p); lia.
  Qed.

  Context (Hstairs : forall x, In x stairs -> snd (fst x) < H).
  Let rests := sums_from H kappa.

  Lemma fast_cost_spec q t : 0 <= output q <= t ->
    fast_cost (rest_at rests t) (q, (w q, stairs_paid q)) t = completion_cost M s_min D H sigma w stairs kappa q t.
  Proof.
    intros Ht. unfold fast_cost, completion_cost, rests. rewrite rest_at_spec by lia. f_equal. f_equal.
    apply stairs_paid_spec; [lia|exact Hstairs].
  Qed.

  Lemma least_until_le n f : forall found, least_until n f found <= found /\ forall i, 0 <= i < Z.of_nat n -> least_until n f found <= f i.
  Proof.
    induction n as [|n IH]; intros found; cbn [least_until]; [split; [lia|intros; lia]|].
    destruct (IH (Z.min found (f (Z.of_nat n)))) as [H1 H2]. split; [lia|]. intros i Hi.
    destruct (Z.eq_dec i (Z.of_nat n)) as [->|]; [lia|apply H2; lia].
  Qed.

  Lemma late_cost_spec : late_cost rests prepared <= 0 /\ forall q t, In q types -> 0 <= output q -> H < t -> 0 <= t - output q <= H ->
    late_cost rests prepared <= completion_cost M s_min D H sigma w stairs kappa q t.
  Proof.
    unfold late_cost. set (each := fun found x => least_until _ _ _).
    assert (Hall : forall l found, fold_left each l found <= found /\ forall x, In x l -> exists found', fold_left each l found <= each found' x).
    { induction l as [|x l IH]; intros found; cbn [fold_left]; [split; [lia|intros x []]|].
      destruct (IH (each found x)) as [H1 H2]. split.
      - pose proof (proj1 (least_until_le (Z.to_nat (Z.min (output (fst x)) (H + 1)))
          (fun i => let t := H - i + output (fst x) in fast_cost (rest_at rests t) x t) found)). unfold each in *. lia.
      - intros y [<-|Hy]; [exists found; exact H1|apply H2, Hy]. }
    split; [apply Hall|]. intros q t Hq Ho Ht Hto.
    destruct (proj2 (Hall prepared 0) (q, (w q, stairs_paid q))) as (found' & Hle).
    { unfold prepared. apply in_map_iff. exists q. auto. }
    eapply Z.le_trans; [exact Hle|]. unfold each. cbn [fst].
    eapply Z.le_trans; [apply (proj2 (least_until_le _ _ _)) with (i := H - (t - output q)); lia|]. cbv beta zeta.
    replace (H - (H - (t - output q)) + output q) with t by lia. rewrite fast_cost_spec by lia. lia.
  Qed.

  (* --- Proofs: the tables --- *)

  Lemma least_from_le below p steps : forall found, least_from far below p found steps <= found /\ forall offset c, In (offset, c) steps -> least_from far below p found steps <= at_place far below (p - offset) + c.
  Proof.
    induction steps as [|[o c] steps IH]; intros found; cbn [least_from]; [split; [lia|intros o c []]|]. cbv zeta.
    set (v := at_place far below (p - o) + c). destruct (IH (if v <? found then v else found)) as [H1 H2].
    assert (Hv : (if v <? found then v else found) <= found /\ (if v <? found then v else found) <= v)
      by (destruct (Z.ltb_spec v found); lia).
    split; [lia|]. intros o' c' [E|Hin]; [inversion E; subst; fold v; lia|apply H2, Hin].
  Qed.

  Lemma by_room_spec steps n step r : In (n, step) steps -> 0 <= n <= r -> r <= M -> In step (at_place [] (by_room M steps) r).
  Proof.
    intros Hin Hn Hr. unfold by_room. rewrite <- (Z2Nat.id r) in * by lia. set (k := Z.to_nat r) in *. clearbody k. clear r.
    set (f := fun below r => rev_append (at_place [] (collect (M + 1) steps) r) (at_place [] below (r - 1))).
    induction k as [|k IH].
    - destruct (at_build [] (M + 1) f (Z.of_nat 0) ltac:(lia)) as (below & -> & _). unfold f. rewrite rev_append_rev. apply in_or_app. left. rewrite <- in_rev. apply at_collect; [lia|].
      replace (Z.of_nat 0) with n by lia. exact Hin.
    - destruct (at_build [] (M + 1) f (Z.of_nat (S k)) ltac:(lia)) as (below & -> & Hbelow). unfold f at 1.
      rewrite rev_append_rev, Hbelow by lia. apply in_or_app. destruct (Z.eq_dec n (Z.of_nat (S k))) as [<-|].
      + left. rewrite <- in_rev. apply at_collect; [lia|exact Hin].
      + right. replace (Z.of_nat (S k) - 1) with (Z.of_nat k) by lia. apply IH; lia.
  Qed.

  Context (requests : list request) (prompts : list Z).
  Context (HM : 0 <= M) (Hs : 0 <= s_min) (HR : R = most_running M requests s_min).
  Context (Hreq : forall q, In q requests -> In q types /\ In (prompt q) prompts /\ 0 <= prompt q /\ 1 <= output q).
  Let paths := path M requests s_min D H sigma w stairs kappa.

  Lemma R_nonneg : 0 <= R.
  Proof. rewrite HR. unfold most_running. apply Z.min_glb; [lia|apply Z.div_pos; lia]. Qed.

  Lemma path_range phase t K W c : paths phase t K W c -> 0 <= t <= H /\ 0 <= K /\ 0 <= W /\
    match phase with Completing => K <= R /\ W <= M | Starting => t < H end.
  Proof.
    intros Hpath. pose proof R_nonneg.
    induction Hpath as [|t K W c q _ IH Hq Ho Hlegal|t K W c _ IH Ht|t K W c q _ IH Hq|t K W c _ IH HK HW].
    - lia.
    - destruct IH as (Ht & HK0 & HW0 & HKR & HWM). destruct (Hreq q Hq) as (_ & _ & Hp & Hout). repeat split; try lia. nia.
    - lia.
    - destruct (Hreq q Hq) as (_ & _ & Hp & _). lia.
    - rewrite HR. lia.
  Qed.

  Lemma number_parts K W : 0 <= W <= M -> number_of K W / (M + 1) = K /\ number_of K W mod (M + 1) = W.
  Proof.
    intros HW. unfold number_of. split.
    - rewrite Z.div_add_l by lia. rewrite Z.div_small by lia. lia.
    - rewrite Z.add_comm, Z.mod_add by lia. apply Z.mod_small. lia.
  Qed.

  Lemma number_range K W : 0 <= K <= R -> 0 <= W <= M -> 0 <= number_of K W < size_of_tables.
  Proof. unfold number_of, size_of_tables. nia. Qed.

  (* Tables have no more than any path costs: before the starts, and after them. *)
  Definition below_completing (t : Z) (C : table) : Prop := forall K W c, paths Completing t K W c ->
    at_place far C (last_state - number_of K W) <= c.
  Definition below_starting (t : Z) (St : table) : Prop := forall K W c, paths Starting t K W c -> K <= R -> W + K <= M ->
    at_place far St (number_of K W) <= c.

  Lemma after_starts_spec t C : below_completing t C -> below_starting t (after_starts places_after rests prompts t C).
  Proof.
    intros HC K W c Hpath. remember Starting as phase eqn:E. unfold after_starts.
    set (steps := by_room M _). set (f := fun below i => _).
    assert (Hentry : forall K W, 0 <= K <= R -> 0 <= W -> W + K <= M -> exists below,
      at_place far (build far size_of_tables f) (number_of K W)
        = least_from far below (number_of K W) (at_place far C (last_state - number_of K W) + kappa t * least_squares K W)
            (at_place [] steps W)
      /\ forall j, 0 <= j < number_of K W -> at_place far below j = at_place far (build far size_of_tables f) j).
    { intros K' W' HK' HW' Hfit. pose proof (number_range K' W' HK' ltac:(lia)) as Hrange.
      destruct (at_build far size_of_tables f (number_of K' W') Hrange) as (below & E1 & E2). exists below. split; [|exact E2].
      rewrite E1. unfold f, places_after. rewrite at_tabulate by exact Hrange.
      destruct (number_parts K' W' ltac:(lia)) as [-> ->]. cbv beta iota zeta.
      replace (W' + K' <=? M) with true by lia. replace (W' <? 0) with false by lia. reflexivity. }
    induction Hpath as [|t K W c q Hpath IH Hq Ho Hlegal|t K W c Hpath IH Ht|t K W c q Hpath IH Hq|t K W c Hpath IH HK HW];
      try discriminate; intros HKR HWM.
    - destruct (path_range _ _ _ _ _ Hpath) as (_ & HK0 & HW0 & _).
      destruct (Hentry K W ltac:(lia) HW0 HWM) as (below & -> & _).
      eapply Z.le_trans; [apply (proj1 (least_from_le _ _ _ _))|]. specialize (HC K W c Hpath). lia.
    - destruct (path_range _ _ _ _ _ Hpath) as (Ht0 & HK0 & HW0 & _). destruct (Hreq q Hq) as (_ & Hqp & Hp & _).
      specialize (IH HC E Hentry ltac:(lia) ltac:(lia)).
      destruct (Hentry (K + 1) (W + prompt q) ltac:(lia) ltac:(lia) HWM) as (below & -> & Hbelow).
      eapply Z.le_trans; [apply (proj2 (least_from_le _ _ _ _)) with (offset := M + 1 + prompt q)
        (c := sigma (prompt q) t - prompt q ^ 2 * rest_at rests (t + 1))|].
      + apply by_room_spec with (n := prompt q); [|lia|lia]. apply in_map_iff. exists (prompt q). auto.
      + replace (number_of (K + 1) (W + prompt q) - (M + 1 + prompt q)) with (number_of K W) by (unfold number_of; ring).
        rewrite Hbelow by (unfold number_of; nia). unfold start_cost, rests. rewrite rest_at_spec by lia. apply Z.add_le_mono; [exact IH|reflexivity].
  Qed.

  Lemma after_completions_spec t St : 0 <= t -> below_starting t St ->
    below_completing (t + 1) (after_completions places_before rests prepared (t + 1) St).
  Proof.
    intros Ht HSt K W c Hpath. unfold after_completions. set (steps := by_room M _). set (f := fun below p => _).
    assert (Hentry : forall K W, 0 <= K <= R -> 0 <= W <= M -> exists below,
      at_place far (build far size_of_tables f) (last_state - number_of K W)
        = least_from far below (last_state - number_of K W)
            (if (if (1 <=? K) && (K <=? W) then number_of K W - K else -1) <? 0 then far
             else at_place far St (if (1 <=? K) && (K <=? W) then number_of K W - K else -1) - (2 * (W - K) + K) * rest_at rests (t + 1))
            (at_place [] steps (if (if K =? 0 then W =? 0 else K * (s_min + 1) <=? W) && (K <? R) then M - W else -1))
      /\ forall j, 0 <= j < last_state - number_of K W -> at_place far below j = at_place far (build far size_of_tables f) j).
    { intros K' W' HK' HW'. pose proof (number_range K' W' HK' HW') as Hrange.
      destruct (at_build far size_of_tables f (last_state - number_of K' W')) as (below & E1 & E2).
      { unfold last_state. lia. }
      exists below. split; [|exact E2].
      rewrite E1. unfold f, places_before. rewrite at_tabulate by (unfold last_state; lia).
      replace (last_state - (last_state - number_of K' W')) with (number_of K' W') by lia.
      destruct (number_parts K' W' HW') as [-> ->]. reflexivity. }
    remember Completing as phase eqn:E. remember (t + 1) as t1 eqn:Et.
    revert HSt Hentry. induction Hpath as [|t1 K W c q Hpath IH Hq Ho Hlegal|t1 K W c Hpath IH Ht1|t1 K W c q Hpath IH Hq|t1 K W c Hpath IH HK HW];
      try discriminate; intros HSt Hentry.
    - lia.
    - specialize (IH E Et HSt Hentry).
      destruct (path_range _ _ _ _ _ Hpath) as (Ht0 & HK0 & HW0 & HKR & HWM). destruct (Hreq q Hq) as (Hqt & _ & Hp & Hout).
      assert (HW' : 0 <= W - (prompt q + output q)) by nia.
      destruct (Hentry (K - 1) (W - (prompt q + output q)) ltac:(lia) ltac:(lia)) as (below & -> & Hbelow).
      replace (if K - 1 =? 0 then _ else _) with true by (destruct (Z.eqb_spec (K - 1) 0); lia).
      replace (K - 1 <? R) with true by lia. cbn [andb].
      eapply Z.le_trans; [apply (proj2 (least_from_le _ _ _ _)) with (offset := M + 1 + (prompt q + output q))
        (c := completion_cost M s_min D H sigma w stairs kappa q t1)|].
      + apply by_room_spec with (n := prompt q + output q); [|lia|lia]. apply in_map_iff.
        exists (q, (w q, stairs_paid q)). split.
        * cbn [fst]. rewrite fast_cost_spec by lia. reflexivity.
        * apply filter_In. split; [|cbn [fst]; lia]. unfold prepared. apply in_map_iff. exists q. auto.
      + replace (last_state - number_of (K - 1) (W - (prompt q + output q)) - (M + 1 + (prompt q + output q)))
          with (last_state - number_of K W) by (unfold number_of; ring).
        pose proof (number_range K W ltac:(lia) ltac:(lia)).
        rewrite Hbelow by (unfold last_state in *; unfold number_of in *; nia). apply Z.add_le_mono; [exact IH|reflexivity].
    - destruct (path_range _ _ _ _ _ Hpath) as (Ht0 & HK0 & HW0 & _). rewrite <- HR in HK.
      assert (t1 = t) as -> by lia.
      destruct (Hentry K (W + K) ltac:(lia) ltac:(lia)) as (below & -> & _).
      eapply Z.le_trans; [apply (proj1 (least_from_le _ _ _ _))|].
      replace ((1 <=? K) && (K <=? W + K)) with true by lia.
      replace (number_of K (W + K) - K) with (number_of K W) by (unfold number_of; ring).
      pose proof (number_range K W ltac:(lia) ltac:(lia)). replace (number_of K W <? 0) with false by lia.
      specialize (HSt K W c Hpath ltac:(lia) HW). unfold round_cost, rests. rewrite rest_at_spec by lia.
      replace (W + K - K) with W by lia. lia.
  Qed.

  (* What is returned is no more than the cost of any path. *)
  Lemma least_end_spec late n : forall t C found, 0 <= t -> n = Z.to_nat (H - t) -> t <= H -> below_completing t C ->
    let V := least_end late places_before places_after rests prepared prompts n t C found in
    V <= found /\
    (forall t' c, t <= t' <= H -> 1 <= t' -> paths Completing t' 0 0 c -> V <= c) /\
    (forall K W c, paths Completing H K W c -> V <= c + K * late).
  Proof.
    induction n as [|n IH]; intros t C found Ht Hn HtH HC; cbn [least_end]; cbv zeta;
      set (found' := if 1 <=? t then _ else found);
      (assert (Hf : found' <= found /\ forall c, 1 <= t -> paths Completing t 0 0 c -> found' <= c);
       [unfold found'; destruct (Z.leb_spec 1 t); (split; [lia|]); intros c H1 Hc; [|lia];
        specialize (HC 0 0 c Hc); unfold number_of in HC; rewrite Z.mul_0_l, Z.add_0_r, Z.sub_0_r in HC; lia|]).
    - assert (t = H) as -> by lia.
      destruct (least_until_le (Z.to_nat size_of_tables) (fun i => at_place far C (last_state - i) + i / (M + 1) * late) found') as [H1 H2].
      destruct Hf as [Hf1 Hf2]. split; [lia|]. split.
      + intros t' c Ht' Ht1 Hc. assert (t' = H) as -> by lia. specialize (Hf2 c Ht1 Hc). lia.
      + intros K W c Hc. destruct (path_range _ _ _ _ _ Hc) as (_ & HK & HW & HKR & HWM).
        pose proof (number_range K W ltac:(lia) ltac:(lia)) as Hrange.
        specialize (H2 (number_of K W) ltac:(lia)). cbv beta in H2. destruct (number_parts K W ltac:(lia)) as [E _].
        rewrite E in H2. specialize (HC K W c Hc). lia.
    - pose proof (after_starts_spec t C HC) as HSt. pose proof (after_completions_spec t _ Ht HSt) as HC'.
      specialize (IH (t + 1) _ found' ltac:(lia) ltac:(lia) ltac:(lia) HC'). cbv zeta in IH. destruct IH as (H1 & H2 & H3).
      destruct Hf as [Hf1 Hf2]. split; [lia|]. split; [|exact H3]. intros t' c Ht' Ht1 Hc.
      destruct (Z.eq_dec t' t) as [->|]; [specialize (Hf2 c Ht1 Hc); lia|apply (H2 t'); auto; lia].
  Qed.

  Lemma first_table_spec : below_completing 0 first_table.
  Proof.
    intros K W c Hpath. unfold first_table.
    assert (E : K = 0 /\ W = 0 /\ c = 0).
    { remember Completing as phase eqn:E. remember 0 as t eqn:Et in Hpath.
      induction Hpath as [|t K W c q Hpath IH Hq Ho Hlegal|t K W c Hpath IH Ht1|t K W c q Hpath IH Hq|t K W c Hpath IH HK HW];
        try discriminate; auto.
      - destruct (Hreq q Hq) as (_ & _ & _ & Hout). lia.
      - destruct (path_range _ _ _ _ _ Hpath). lia. }
    destruct E as (-> & -> & ->). pose proof R_nonneg. pose proof (number_range 0 0 ltac:(lia) ltac:(lia)).
    rewrite at_tabulate by (unfold last_state; lia). unfold number_of. rewrite Z.mul_0_l, Z.add_0_r, Z.sub_0_r, Z.eqb_refl. lia.
  Qed.

  Lemma cheapest_spec late : cheapest_path M requests s_min D H sigma w stairs kappa late (cheapest_of_all late rests prepared prompts).
  Proof.
    destruct (least_end_spec late (Z.to_nat H) 0 first_table far) as (_ & H1 & H2);
      [lia|f_equal; lia|lia|apply first_table_spec|].
    split; [|exact H2]. intros t c Ht. apply H1; lia.
  Qed.

  Lemma late_ok_spec : late_ok M requests s_min D H sigma w stairs kappa (late_cost rests prepared).
  Proof.
    destruct late_cost_spec as [H1 H2]. split; [exact H1|]. intros q t Hq Ht Hto.
    destruct (Hreq q Hq) as (Hqt & _ & _ & Ho). apply H2; auto. lia.
  Qed.
End Check.

(* --- The checker ------------------------------------------------------------------------- *)

(* The number farthest from 0; its distance. *)
Definition largest (l : list Z) (found : Z) : Z := fold_left (fun most x => Z.max most (Z.abs x)) l found.

(* More than any path costs; nothing is proved about it. *)
Definition beyond_paths (M R H late rest_0 : Z) (p : path_proof) (types : list (request * Z)) : Z :=
  let longest := largest (map (fun x => output (fst x)) types) 0 in
  let each := scale p * (H + longest) + largest (map snd (of_worth p)) 0
    + fold_left (fun most x => largest (snd x) most) (of_start p) 0
    + fold_left (fun sum x => sum + Z.abs (snd x)) (of_stairs p) 0 + M ^ 2 * rest_0 in
  4 * (H + 1) * (R * (2 * each - late) + (rest_0 + 1) * (M * M + 2 * M + R)).

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
    let rests := sums_from H kappa in
    let from := prepared M s_min (map fst types) H w stairs in
    let late := late_cost D H sigma rests from in
    let far := beyond_paths M R H late (rest_at H rests 0) p types in
    let V := cheapest_of_all M s_min R D H sigma kappa far late rests from
      (nodup Z.eq_dec (map (fun x => prompt (fst x)) types)) in
    Some (ceil_div (V + total (fun x => snd x * w (fst x)) types
      - total (fun x => fst (fst x) * snd x) stairs) D)
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
  set (rests := sums_from H kappa) in *. set (from := prepared M s_min (map fst types) H w stairs) in *.
  set (late := late_cost D H sigma rests from) in *. set (far := beyond_paths _ _ _ _ _ _ _) in *.
  set (V := cheapest_of_all _ _ _ _ _ _ _ _ _ _ _ _) in *.
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
  assert (Hreq : forall q, In q requests -> In q (map fst types)
      /\ In (prompt q) (nodup Z.eq_dec (map (fun x => prompt (fst x)) types)) /\ 0 <= prompt q /\ 1 <= output q).
  { intros q Hq. destruct (Hin q Hq) as (k & Hk). specialize (Htypes (q, k) Hk). cbn [fst] in Htypes.
    repeat split; try lia.
    - apply in_map_iff. exists (q, k). auto.
    - apply nodup_In. apply in_map_iff. exists (q, k). auto. }
  assert (Hbefore : forall x, In x stairs -> snd (fst x) < H).
  { intros x Hx. specialize (Hstairs x Hx). lia. }
  assert (Hlate : late_ok M requests s_min D H sigma w stairs kappa late).
  { apply (late_ok_spec M s_min (map fst types) D H sigma w stairs kappa ltac:(lia) Hbefore requests _ Hreq). }
  assert (Hcheap : cheapest_path M requests s_min D H sigma w stairs kappa late V).
  { apply (cheapest_spec M s_min R (map fst types) D H sigma w stairs kappa far ltac:(lia) Hbefore requests _
      ltac:(lia) Hs0 HR Hreq). }
  assert (Hzero : at_once requests).
  { apply (at_once_expand types); [|exact Hperm]. intros x Hx. specialize (Htypes x Hx). lia. }
  rewrite (cost_at_once M requests l Hl Hzero).
  rewrite <- (total_expand w types Hcounts), <- (total_permutation w _ _ Hperm).
  apply (path_bound M requests s_min D H sigma w stairs kappa
    late V l);
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
