(* The rule "exhaustive" of FORMAT.md: a search over all states (state_search.md).

   `search` looks for a schedule that is too cheap and keeps the states that it meets; nothing
   is proved about it.  `closed` then goes through these states again: whatever may start in
   one of them leads to another of them, at no less cost than is noted there, or nowhere below
   the sum searched for.  That is what `exhaustive_sound` rests on. *)

From Coq Require Import ZArith List Lia Bool Permutation Sorted SetoidList.
From Kvopt Require Import Model Sums Staircase Completions Prices Area BusyTime Paths Types
  BusyCheck Times Keys.
Import ListNotations.
Open Scope Z_scope.

(* --- States ------------------------------------------------------------------------------ *)

(* Profiles: the tokens taken in each of the coming rounds. *)
Fixpoint add (p s : list Z) : list Z :=
  match p, s with
  | [], _ => s
  | _, [] => p
  | x :: p', y :: s' => (x + y) :: add p' s'
  end.

(* s + 1, ..., s + o: the profile of a run that starts now. *)
Fixpoint count_on (u : Z) (n : nat) : list Z :=
  match n with O => [] | S n' => (u + 1) :: count_on (u + 1) n' end.
Definition shape (q : request) : list Z := count_on (prompt q) (Z.to_nat (output q)).

Definition small (M : Z) (p : list Z) : bool := forallb (fun x => x <=? M) p.

(* How many of one type may start, as long as they fit: who still waits, and the profile. *)
Fixpoint options (M : Z) (s used : list Z) (n : nat) (left : Z) : list (Z * list Z) :=
  (left, used) ::
  match n with
  | O => []
  | S n' => let used' := add used s in
      if small M used' then options M s used' n' (left - 1) else []
  end.

(* How many of each type. *)
Fixpoint choices (M : Z) (shapes : list (list Z)) (waiting used : list Z) :
    list (list Z * list Z) :=
  match shapes, waiting with
  | s :: shapes', n :: waiting' =>
      flat_map (fun x => map (fun y => (fst x :: fst y, snd y)) (choices M shapes' waiting' (snd x)))
        (options M s used (Z.to_nat n) n)
  | _, _ => [([], used)]
  end.

(* What bounds need to know of those who wait: their areas, smallest first, the sum of their
   outputs, and their busy-time bound. *)
Record to_do := ToDo { areas : list Z; outputs : Z; alone : Z }.

Definition prepare (M : Z) (kinds : list request) (waiting : list Z) : to_do :=
  let types := filter (fun x => 0 <? snd x) (combine kinds waiting) in
  ToDo (map area (expand (rev (heaviest_first weigh_memory types))))
    (total (fun x => snd x * output (fst x)) types)
    (busy_integer M weigh_memory types).

(* A bound on the sum of the starts of those who wait, counted from now. *)
Definition to_come (M : Z) (d : to_do) (p : list Z) : Z :=
  Z.max (times M (areas d) 0 p 0 0) (alone d) - outputs d.

Definition sum (l : list Z) : Z := total (fun x => x) l.

(* States with what it costs to get there, by who waits and by profile; and what is ready. *)
Definition states := KeyMap.t (KeyMap.t Z).
Definition ready_table := KeyMap.t to_do.

Definition cost_of_state (S : states) (waiting p : list Z) : option Z :=
  match KeyMap.find waiting S with Some m => KeyMap.find p m | None => None end.

(* --- The search (nothing is proved about it) --------------------------------------------- *)

Record progress := Progress {
  seen : states;
  ready : ready_table;
  open : KeyMap.t (list (list Z * list Z));  (* by cost, [c] *)
  looked_at : Z;
  steps : Z;
  failed : bool
}.

(* Steps in bounds on what is to come, at most. *)
Definition max_search_steps : Z := 200000000.

Definition get_ready (M : Z) (kinds : list request) (R : ready_table) (waiting : list Z) :
    to_do * ready_table :=
  match KeyMap.find waiting R with
  | Some d => (d, R)
  | None => let d := prepare M kinds waiting in (d, KeyMap.add waiting d R)
  end.

(* One choice in a state reached at this cost. *)
Definition consider (M : Z) (kinds : list request) (target cost : Z) (x : progress)
    (choice : list Z * list Z) : progress :=
  let (rest, used) := choice in
  let after := cost + sum rest in
  if after =? cost then Progress (seen x) (ready x) (open x) (looked_at x) (steps x) true
  else
    match used with
    | [] => x
    | _ :: p =>
        if target <=? after then x
        else
          match cost_of_state (seen x) rest p with
          | Some _ => x
          | None =>
              let (d, R) := get_ready M kinds (ready x) rest in
              let n := steps x + 5 * sum rest + Z.of_nat (length p) in
              if target <=? after + to_come M d p
              then Progress (seen x) R (open x) (looked_at x) n (failed x)
              else
                let others := match KeyMap.find [after] (open x) with Some l => l | None => [] end in
                Progress (seen x) R (KeyMap.add [after] ((rest, p) :: others) (open x))
                  (looked_at x) n (failed x)
          end
    end.

Definition look_at (M : Z) (kinds : list request) (shapes : list (list Z)) (target limit cost : Z)
    (x : progress) (state : list Z * list Z) : progress :=
  if failed x then x
  else
    let (waiting, p) := state in
    let m := match KeyMap.find waiting (seen x) with Some m => m | None => KeyMap.empty Z end in
    match KeyMap.find p m with
    | Some _ => x
    | None =>
        let all := choices M shapes waiting p in
        let n := fold_left (fun n _ => n + 1) all (looked_at x) in
        let x' := Progress (KeyMap.add waiting (KeyMap.add p cost m) (seen x)) (ready x) (open x) n (steps x)
          ((limit <? n) || (max_search_steps <? steps x)) in
        if failed x' then x' else fold_left (consider M kinds target cost) all x'
    end.

Fixpoint search (M : Z) (kinds : list request) (shapes : list (list Z)) (target limit : Z)
    (fuel : nat) (cost : Z) (x : progress) : progress :=
  match fuel with
  | O => x
  | S fuel' =>
      if failed x || KeyMap.is_empty (open x) then x
      else
        let now := match KeyMap.find [cost] (open x) with Some l => l | None => [] end in
        let x' := Progress (seen x) (ready x) (KeyMap.remove [cost] (open x)) (looked_at x) (steps x) false in
        search M kinds shapes target limit fuel' (cost + 1)
          (fold_left (look_at M kinds shapes target limit cost) now x')
  end.

(* --- The check --------------------------------------------------------------------------- *)

Section Check.
  Context (M : Z) (kinds : list request) (shapes : list (list Z)) (target : Z)
    (S : states) (R : ready_table).

  Definition known (waiting p : list Z) (cost : Z) : bool :=
    match cost_of_state S waiting p with Some c => c <=? cost | None => false end.

  Definition too_much (waiting p : list Z) (cost : Z) : bool :=
    let d := match KeyMap.find waiting R with Some d => d | None => prepare M kinds waiting end in
    target <=? cost + to_come M d p.

  Definition fine_choice (cost : Z) (choice : list Z * list Z) : bool :=
    let (rest, used) := choice in
    let after := cost + sum rest in
    (target <=? after)
    || negb (sum rest =? 0)
       && match used with
          | [] => true
          | _ :: p => known rest p after || too_much rest p after
          end.

  Definition closed : bool :=
    forallb (fun m => forallb (fun x =>
        forallb (fine_choice (snd x)) (choices M shapes (fst m) (fst x)))
      (KeyMap.elements (snd m))) (KeyMap.elements S).
End Check.

(* The checker: does no schedule cost less than `low`?  The second number is that of the
   choices looked at, at most `limit`. *)
Definition exhaustive_check (M : Z) (types : list (request * Z)) (low limit : Z) : bool * Z :=
  let kinds := map fst types in
  let counts := map snd types in
  let target := low - total (fun x => snd x * output (fst x)) types in
  let shapes := map shape kinds in
  let x := search M kinds shapes target limit (Z.to_nat target) 0
    (Progress (KeyMap.empty _) (KeyMap.empty _) (KeyMap.add [0] [(counts, [])] (KeyMap.empty _)) 0 0 false) in
  let R := KeyMap.mapi (fun waiting _ => prepare M kinds waiting) (ready x) in
  ((1 <=? M)
    && forallb (fun x => (0 <=? prompt (fst x)) && (1 <=? output (fst x))
         && (release (fst x) =? 0) && (0 <=? snd x)) types
    && distinct kinds
    && ((target <=? 0)
        || negb (failed x) && known (seen x) counts [] 0
           && closed M kinds shapes target (seen x) R),
   looked_at x).

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma nth_add p s j : nth j (add p s) 0 = nth j p 0 + nth j s 0.
Proof.
  revert s j. induction p as [|x p IH]; intros [|y s] [|j]; cbn [add nth]; try lia. apply IH.
Qed.

Lemma nth_count_on u n j :
  nth j (count_on u n) 0 = if Z.of_nat j <? Z.of_nat n then u + 1 + Z.of_nat j else 0.
Proof.
  revert u j. induction n as [|n IH]; intros u [|j]; cbn [count_on nth].
  - reflexivity.
  - destruct (Z.ltb_spec (Z.of_nat (S j)) (Z.of_nat 0)); lia.
  - destruct (Z.ltb_spec (Z.of_nat 0) (Z.of_nat (S n))); lia.
  - rewrite IH. destruct (Z.ltb_spec (Z.of_nat j) (Z.of_nat n)),
      (Z.ltb_spec (Z.of_nat (S j)) (Z.of_nat (S n))); lia.
Qed.

Lemma small_spec M p : (forall j, nth j p 0 <= M) -> small M p = true.
Proof.
  intros H. apply forallb_forall. intros x Hx. apply (In_nth _ _ 0) in Hx as (j & _ & <-).
  specialize (H j). lia.
Qed.

Lemma options_in M s : (forall j, 0 <= nth j s 0) -> forall n used left c,
  0 <= c <= left -> n = Z.to_nat left ->
  (forall j, nth j used 0 + c * nth j s 0 <= M) ->
  exists u, In (left - c, u) (options M s used n left) /\
    forall j, nth j u 0 = nth j used 0 + c * nth j s 0.
Proof.
  intros Hs. induction n as [|n IH]; intros used left c Hc Hn Hfit.
  - exists used. replace c with 0 by lia. rewrite Z.sub_0_r. cbn [options]. split; [left; reflexivity|].
    intros j. lia.
  - destruct (Z.eq_dec c 0) as [->|Hne].
    + exists used. rewrite Z.sub_0_r. cbn [options]. split; [left; reflexivity|]. intros j. lia.
    + assert (Hone : forall j, nth j (add used s) 0 + (c - 1) * nth j s 0 <= M).
      { intros j. rewrite nth_add. specialize (Hfit j). lia. }
      destruct (IH (add used s) (left - 1) (c - 1)) as (u & Hin & Hu); [lia|lia|exact Hone|].
      exists u. split.
      * cbn [options]. right. rewrite small_spec.
        -- replace (left - c) with (left - 1 - (c - 1)) by lia. exact Hin.
        -- intros j. specialize (Hone j). specialize (Hs j). nia.
      * intros j. rewrite Hu, nth_add. lia.
Qed.

Fixpoint load_of (shapes : list (list Z)) (cs : list Z) (j : nat) : Z :=
  match shapes, cs with
  | s :: shapes', c :: cs' => c * nth j s 0 + load_of shapes' cs' j
  | _, _ => 0
  end.

Fixpoint less (ws cs : list Z) : list Z :=
  match ws, cs with
  | w :: ws', c :: cs' => (w - c) :: less ws' cs'
  | _, _ => []
  end.

Lemma load_of_nonneg shapes cs j :
  (forall s j, In s shapes -> 0 <= nth j s 0) -> (forall c, In c cs -> 0 <= c) ->
  0 <= load_of shapes cs j.
Proof.
  intros Hs. revert cs. induction shapes as [|s shapes IH]; intros [|c cs] Hc; cbn [load_of]; try lia.
  assert (0 <= nth j s 0) by (apply Hs; simpl; auto). assert (0 <= c) by (apply Hc; simpl; auto).
  assert (0 <= load_of shapes cs j); [|nia].
  apply IH; [intros s' j' Hs'; apply Hs; simpl; auto|intros c' Hc'; apply Hc; simpl; auto].
Qed.

(* Whatever numbers fit are among the choices. *)
Lemma choices_in M shapes : (forall s j, In s shapes -> 0 <= nth j s 0) -> forall ws cs used,
  length ws = length shapes -> Forall2 (fun c w => 0 <= c <= w) cs ws ->
  (forall j, nth j used 0 + load_of shapes cs j <= M) ->
  exists u, In (less ws cs, u) (choices M shapes ws used) /\
    forall j, nth j u 0 = nth j used 0 + load_of shapes cs j.
Proof.
  induction shapes as [|s shapes IH]; intros Hs ws cs used Hlen Hcs Hfit.
  - destruct ws; [|discriminate]. inversion Hcs. subst. exists used. split; [simpl; auto|].
    intros j. simpl. lia.
  - destruct ws as [|w ws]; [discriminate|]. inversion Hcs as [|c ? cs' ? Hc Hcs']. subst.
    assert (Hs' : forall s j, In s shapes -> 0 <= nth j s 0) by (intros; apply Hs; simpl; auto).
    assert (Hrest : forall j, 0 <= load_of shapes cs' j).
    { intros j. apply load_of_nonneg; [exact Hs'|]. clear -Hcs'.
      induction Hcs' as [|c w cs ws Hc H IH]; intros x []; subst; auto; lia. }
    cbn [load_of] in Hfit.
    destruct (options_in M s (fun j => Hs s j (or_introl eq_refl)) (Z.to_nat w) used w c)
      as (u & Hu & Hnth); [exact Hc|reflexivity| |].
    { intros j. specialize (Hfit j). specialize (Hrest j). lia. }
    destruct (IH Hs' ws cs' u) as (u' & Hu' & Hnth'); [simpl in Hlen; lia|exact Hcs'| |].
    { intros j. rewrite Hnth. specialize (Hfit j). lia. }
    exists u'. split.
    + cbn [choices less]. apply in_flat_map. exists (w - c, u). split; [exact Hu|].
      apply in_map_iff. exists (less ws cs', u'). split; [reflexivity|exact Hu'].
    + intros j. rewrite Hnth', Hnth. cbn [load_of]. lia.
Qed.

(* --- What is prepared for those who wait --- *)

Lemma expand_filter types : Permutation (expand (filter (fun x => 0 <? snd x) types)) (expand types).
Proof.
  induction types as [|[q n] types IH]; [reflexivity|]. cbn [filter snd].
  destruct (Z.ltb_spec 0 n) as [Hn|Hn].
  - rewrite !expand_cons. apply Permutation_app_head, IH.
  - rewrite expand_cons. replace (Z.to_nat n) with O by lia. exact IH.
Qed.

Lemma expand_rev types : Permutation (expand (rev types)) (expand types).
Proof.
  induction types as [|[q n] types IH]; [reflexivity|]. cbn [rev]. unfold expand in *.
  rewrite flat_map_app. cbn [flat_map fst snd]. rewrite app_nil_r, Permutation_app_comm.
  apply Permutation_app_head, IH.
Qed.

Lemma sorted_app (l l' : list Z) : StronglySorted Z.le l -> StronglySorted Z.le l' ->
  (forall x y, In x l -> In y l' -> x <= y) -> StronglySorted Z.le (l ++ l').
Proof.
  induction 1 as [|x l Hl IH Hx]; intros Hl' H; [exact Hl'|]. cbn [app]. constructor.
  - apply IH; [exact Hl'|]. intros y z Hy Hz. apply H; simpl; auto.
  - apply Forall_app. split; [exact Hx|]. apply Forall_forall. intros y Hy. apply H; simpl; auto.
Qed.

Lemma areas_sorted types : falling weigh_memory types ->
  StronglySorted Z.le (map area (expand (rev types))).
Proof.
  induction types as [|[q n] types IH]; intros Hf; [constructor|]. destruct Hf as [H1 H2].
  cbn [rev]. unfold expand in *. rewrite flat_map_app. cbn [flat_map fst snd]. rewrite app_nil_r.
  rewrite map_app. apply sorted_app; [apply IH, H2| |].
  - clear. induction (Z.to_nat n) as [|k IH]; [constructor|]. cbn [repeat map]. constructor; [exact IH|].
    apply Forall_forall. intros x Hx. apply in_map_iff in Hx as (q' & <- & Hq').
    apply repeat_spec in Hq' as ->. lia.
  - intros x y Hx Hy. apply in_map_iff in Hx as (q1 & <- & Hq1). apply in_map_iff in Hy as (q2 & <- & Hq2).
    apply repeat_spec in Hq2 as ->. apply in_expand in Hq1 as (m & Hq1). apply in_rev in Hq1.
    apply (H1 _ Hq1).
Qed.

(* The bound on what is to come: for a schedule of those who wait, beside a profile. *)
Lemma to_come_below M kinds waiting requests l p :
  1 <= M -> (forall q, In q kinds -> valid_request q) ->
  (forall n, In n waiting -> 0 <= n) ->
  Permutation requests (expand (combine kinds waiting)) ->
  schedule M requests l ->
  (forall j, memory l (Z.of_nat j + 1) + nth j p 0 <= M) ->
  to_come M (prepare M kinds waiting) p <= completions l - total output requests.
Proof.
  intros HM Hkinds Hpos Hperm Hl Hfits.
  set (types := filter (fun x => 0 <? snd x) (combine kinds waiting)).
  assert (Hin : forall x, In x types -> 0 <= snd x /\ valid_request (fst x)).
  { intros [q n] Hx. apply filter_In in Hx as [Hx _]. split; cbn [fst snd].
    - apply Hpos, (in_combine_r _ _ _ _ Hx).
    - apply Hkinds, (in_combine_l _ _ _ _ Hx). }
  assert (Hp : Permutation requests (expand types)) by (rewrite Hperm, <- expand_filter; reflexivity).
  unfold to_come, prepare. fold types. cbn [areas outputs alone].
  assert (Hout : total (fun x => snd x * output (fst x)) types = total output requests).
  { rewrite <- total_expand by (intros x Hx; apply (Hin x Hx)). symmetry. apply total_permutation, Hp. }
  rewrite Hout.
  assert (H1 : times M (map area (expand (rev (heaviest_first weigh_memory types)))) 0 p 0 0 <= completions l).
  { apply (times_bound M p _ requests l HM Hl Hfits).
    - apply areas_sorted, (heaviest_first_falling memory_weights weigh_memory 0).
    - apply Permutation_map.
      apply (Permutation_trans (expand_rev _)). apply Permutation_sym, (Permutation_trans Hp).
      apply heaviest_first_permutation. }
  assert (H2 : busy_integer M weigh_memory types <= completions l).
  { apply (busy_memory_below M types requests l); [lia|exact Hp|exact Hin|exact Hl]. }
  lia.
Qed.

(* --- Schedules as paths through the states --- *)

Section Soundness.
  Context (M : Z) (kinds : list request) (l : list attempt).
  Context (HM : 1 <= M) (Hdist : distinct kinds = true) (Hzero : at_once kinds)
    (Hkinds : forall q, In q kinds -> valid_request q).
  Context (Hvalid : forall a, In a l -> valid a) (Hfits : fits M l) (Hbusy : busy_schedule l).
  Context (Hin : forall a, In a l -> In (of a) kinds).

  Lemma l_zero a : In a l -> release (of a) = 0.
  Proof. intros Ha. apply Hzero, Hin, Ha. Qed.

  (* Who waits at time t, before anything starts then; who starts at t; their numbers. *)
  Definition later (t : Z) : list attempt := filter (fun a => t <=? start a) l.
  Definition now_starting (t : Z) : list attempt := filter (fun a => start a =? t) l.
  Definition W (t : Z) : list Z := counts_of kinds (map of (later t)).
  Definition C (t : Z) : list Z := counts_of kinds (map of (now_starting t)).

  (* The profile at time t of those who started before t; the cost so far. *)
  Definition load (t : Z) (j : nat) : Z :=
    total (fun a => if start a <? t then use a (t + 1 + Z.of_nat j) else 0) l.
  Definition G (t : Z) : Z := total (fun a => Z.min (start a) t) l.

  Lemma some_types (keep : attempt -> bool) :
    Permutation (map of (filter keep l))
      (expand (combine kinds (counts_of kinds (map of (filter keep l))))).
  Proof.
    apply by_types; [exact Hdist|exact Hzero|]. intros q Hq. apply in_map_iff in Hq as (a & <- & Ha).
    apply filter_In in Ha as [Ha _]. apply Hin, Ha.
  Qed.

  Lemma counts_nonneg requests x : In x (counts_of kinds requests) -> 0 <= x.
  Proof. intros Hx. apply in_map_iff in Hx as (q & <- & _). apply count_nonneg. Qed.

  Lemma sum_W t : sum (W t) = total (fun a => if t <=? start a then 1 else 0) l.
  Proof.
    assert (Hsum : forall ks ws, length ws = length ks ->
        total (fun x : request * Z => snd x * 1) (combine ks ws) = sum ws).
    { induction ks as [|k ks IH]; intros [|w ws] Hlen; try discriminate; [reflexivity|].
      unfold sum in *. cbn [combine total snd]. rewrite IH; [lia|]. simpl in Hlen. lia. }
    rewrite <- (total_filter (fun a => t <=? start a) (fun _ => 1)). fold (later t).
    transitivity (total (fun _ : request => 1) (map of (later t))).
    2:{ rewrite total_map. reflexivity. }
    rewrite (total_permutation _ _ _ (some_types (fun a => t <=? start a))).
    fold (later t). fold (W t). rewrite total_expand.
    - symmetry. apply Hsum. unfold W, counts_of. apply map_length.
    - intros [q n] Hx. apply in_combine_r in Hx. apply (counts_nonneg _ _ Hx).
  Qed.

  Lemma W_step t : less (W t) (C t) = W (t + 1).
  Proof.
    unfold W, C, counts_of.
    assert (H : forall q, count q (map of (later t)) - count q (map of (now_starting t)) =
        count q (map of (later (t + 1)))).
    { intros q. unfold count, later, now_starting. rewrite !total_map, !total_filter.
      assert (total (fun a => if t <=? start a then if same q (of a) then 1 else 0 else 0) l =
        total (fun a => if start a =? t then if same q (of a) then 1 else 0 else 0) l
        + total (fun a => if t + 1 <=? start a then if same q (of a) then 1 else 0 else 0) l); [|lia].
      rewrite <- total_add. apply total_ext. intros a _.
      destruct (Z.leb_spec t (start a)), (Z.eqb_spec (start a) t), (Z.leb_spec (t + 1) (start a)); lia. }
    generalize kinds as ks. induction ks as [|k ks IH]; [reflexivity|]. cbn [map less].
    rewrite H. f_equal. exact IH.
  Qed.

  Lemma C_below t : Forall2 (fun c w => 0 <= c <= w) (C t) (W t).
  Proof.
    unfold W, C, counts_of.
    assert (H : forall q, 0 <= count q (map of (now_starting t)) <= count q (map of (later t))).
    { intros q. split; [apply count_nonneg|]. unfold count, later, now_starting.
      rewrite !total_map, !total_filter. apply total_le. intros a _.
      destruct (same q (of a)), (Z.leb_spec t (start a)), (Z.eqb_spec (start a) t); lia. }
    generalize kinds as ks. induction ks as [|k ks IH]; cbn [map]; constructor; auto.
  Qed.

  (* What starts at time t adds its shapes. *)
  Lemma load_step t j :
    load t j + load_of (map shape kinds) (C t) j =
    total (fun a => if start a <? t + 1 then use a (t + 1 + Z.of_nat j) else 0) l.
  Proof.
    assert (Hload : forall ks cs, load_of (map shape ks) cs j =
        total (fun x : request * Z => snd x * nth j (shape (fst x)) 0) (combine ks cs)).
    { induction ks as [|k ks IH]; intros [|c cs]; cbn [map load_of combine total]; try reflexivity.
      rewrite IH. reflexivity. }
    rewrite Hload. unfold C at 1.
    rewrite <- (total_expand (fun q => nth j (shape q) 0)).
    2:{ intros [q n] Hx. apply in_combine_r in Hx. apply (counts_nonneg _ _ Hx). }
    rewrite <- (total_permutation _ _ _ (some_types (fun a => start a =? t))).
    rewrite total_map, total_filter. unfold load. rewrite <- total_add. apply total_ext.
    intros a Ha. destruct (Hvalid a Ha) as [[Hs Ho] _].
    unfold shape. rewrite nth_count_on, Z2Nat.id by lia. unfold use, completion.
    destruct (Z.ltb_spec (start a) t), (Z.eqb_spec (start a) t), (Z.ltb_spec (start a) (t + 1)); try lia.
    subst t. destruct (Z.ltb_spec (start a) (start a + 1 + Z.of_nat j)); [|lia].
    destruct (Z.ltb_spec (Z.of_nat j) (output (of a))),
      (Z.leb_spec (start a + 1 + Z.of_nat j) (start a + output (of a))); simpl; lia.
  Qed.

  Lemma load_fits t j :
    total (fun a => if start a <? t + 1 then use a (t + 1 + Z.of_nat j) else 0) l <= M.
  Proof.
    eapply Z.le_trans; [|apply (Hfits (t + 1 + Z.of_nat j))]. apply total_le. intros a Ha.
    pose proof (use_nonneg a (t + 1 + Z.of_nat j) (Hvalid a Ha)). destruct (_ <? _); lia.
  Qed.

  (* Those who wait at time t, with the clock set back. *)
  Definition set_back (t : Z) (a : attempt) : attempt := Attempt (of a) (start a - t).

  Lemma later_schedule t : 0 <= t ->
    schedule M (map of (later t)) (map (set_back t) (later t)) /\
    forall j, memory (map (set_back t) (later t)) (Z.of_nat j + 1) + load t j <= M.
  Proof.
    intros Ht.
    assert (Hmem : forall r, memory (map (set_back t) (later t)) r =
        total (fun a => if t <=? start a then use a (t + r) else 0) l).
    { intros r. unfold memory, later. rewrite total_map, total_filter. apply total_ext.
      intros a _. destruct (t <=? start a); [|reflexivity].
      unfold use, completion, set_back. cbn [of start].
      destruct (Z.ltb_spec (start a - t) r), (Z.ltb_spec (start a) (t + r)); try lia; cbn [andb]; try lia.
      destruct (Z.leb_spec r (start a - t + output (of a))),
        (Z.leb_spec (t + r) (start a + output (of a))); try lia. }
    split.
    - split; [rewrite map_map; reflexivity|]. split.
      + apply Forall_forall. intros a' Ha'. apply in_map_iff in Ha' as (a & <- & Ha).
        apply filter_In in Ha as [Ha Hta]. destruct (Hvalid a Ha) as [Hq Hs].
        split; [exact Hq|]. cbn [of start set_back]. rewrite (l_zero a Ha). lia.
      + intros r. rewrite Hmem. eapply Z.le_trans; [|apply (Hfits (t + r))]. apply total_le.
        intros a Ha. pose proof (use_nonneg a (t + r) (Hvalid a Ha)). destruct (_ <=? _); lia.
    - intros j. rewrite Hmem. unfold load. rewrite <- total_add.
      eapply Z.le_trans; [|apply (Hfits (t + 1 + Z.of_nat j))]. apply total_le. intros a Ha.
      replace (t + (Z.of_nat j + 1)) with (t + 1 + Z.of_nat j) by lia.
      pose proof (use_nonneg a (t + 1 + Z.of_nat j) (Hvalid a Ha)).
      destruct (Z.leb_spec t (start a)), (Z.ltb_spec (start a) t); lia.
  Qed.

  Lemma starts_split t : 0 <= t ->
    G t + (completions (map (set_back t) (later t)) - total output (map of (later t)))
    = total start l.
  Proof.
    intros Ht. unfold completions, G, later. rewrite !total_map, !total_filter.
    assert (total (fun a => Z.min (start a) t) l
      + total (fun a => if t <=? start a then completion (set_back t a) else 0) l
      = total start l + total (fun a => if t <=? start a then output (of a) else 0) l); [|lia].
    rewrite <- !total_add. apply total_ext. intros a _. unfold completion, set_back. cbn [start of].
    destruct (Z.leb_spec t (start a)); lia.
  Qed.

  Lemma G_step t : G (t + 1) = G t + sum (W (t + 1)).
  Proof.
    rewrite sum_W. unfold G. rewrite <- total_add. apply total_ext. intros a _.
    destruct (Z.leb_spec (t + 1) (start a)); lia.
  Qed.

  Lemma G_below t : G t <= total start l.
  Proof. apply total_le. intros. lia. Qed.

  Context (target : Z) (S : states) (R : ready_table).
  Context (HR : forall w d, KeyMap.find w R = Some d -> d = prepare M kinds w).
  Context (Hclosed : closed M kinds (map shape kinds) target S R = true).

  (* The schedule is in a known state at time t. *)
  Definition reached (t : Z) : Prop :=
    exists p g, cost_of_state S (W t) p = Some g /\ (forall j, nth j p 0 = load t j) /\ g <= G t.

  Lemma find_elements {A : Type} (m : KeyMap.t A) k v :
    KeyMap.find k m = Some v -> In (k, v) (KeyMap.elements m).
  Proof.
    intros H. apply KeyMap.find_2 in H. apply KeyMap.elements_1 in H.
    apply InA_alt in H as ([k' v'] & [E1 E2] & Hin'). simpl in E1, E2. unfold Key.eq in E1. subst.
    exact Hin'.
  Qed.

  Lemma closed_spec w p g : cost_of_state S w p = Some g ->
    forall choice, In choice (choices M (map shape kinds) w p) ->
    fine_choice M kinds target S R g choice = true.
  Proof.
    unfold cost_of_state. intros H choice Hchoice. destruct (KeyMap.find w S) as [m|] eqn:Em; [|discriminate].
    unfold closed in Hclosed. rewrite forallb_forall in Hclosed.
    specialize (Hclosed _ (find_elements _ _ _ Em)). cbn [fst snd] in Hclosed.
    rewrite forallb_forall in Hclosed. specialize (Hclosed _ (find_elements _ _ _ H)).
    cbn [fst snd] in Hclosed. rewrite forallb_forall in Hclosed. apply Hclosed, Hchoice.
  Qed.

  Lemma reached_step t : 0 <= t -> reached t -> target <= total start l \/ reached (t + 1).
  Proof.
    intros Ht (p & g & Hfind & Hp & Hg).
    destruct (choices_in M (map shape kinds)) with (ws := W t) (cs := C t) (used := p)
      as (u & Hu & Hnth).
    - intros s j Hs. apply in_map_iff in Hs as (q & <- & Hq). destruct (Hkinds q Hq) as [Hpr _].
      unfold shape. rewrite nth_count_on. destruct (_ <? _); lia.
    - unfold W, counts_of. rewrite !map_length. reflexivity.
    - apply C_below.
    - intros j. rewrite Hp, load_step. apply load_fits.
    - rewrite W_step in Hu. pose proof (closed_spec _ _ _ Hfind _ Hu) as Hfine.
      assert (Hu' : forall j, nth j u 0 =
          total (fun a => if start a <? t + 1 then use a (t + 1 + Z.of_nat j) else 0) l).
      { intros j. rewrite Hnth, Hp, load_step. reflexivity. }
      unfold fine_choice in Hfine. pose proof (G_step t) as HG. pose proof (G_below (t + 1)) as HGb.
      destruct (Z.leb_spec target (g + sum (W (t + 1)))) as [Hmuch|Hless]; [left; lia|].
      cbn [orb] in Hfine. apply andb_true_iff in Hfine as [Hsome Hfine].
      apply negb_true_iff, Z.eqb_neq in Hsome.
      destruct u as [|x p'].
      + (* the next round is not idle *)
        exfalso. rewrite sum_W in Hsome.
        assert (Hex : exists a, In a l /\ t + 1 <= start a).
        { clear -Hsome. induction l as [|a l' IH]; [simpl in Hsome; lia|]. cbn [total] in Hsome.
          destruct (Z.leb_spec (t + 1) (start a)) as [H|H]; [exists a; simpl; auto|].
          destruct IH as (b & Hb & Hs); [lia|]. exists b. simpl. auto. }
        destruct Hex as (b & Hb & Hsb). destruct (Hvalid b Hb) as [[_ Hob] _].
        destruct (Hbusy (t + 1)) as (a & Ha & Hrun); [lia|exists b; split; [exact Hb|unfold completion; lia]|].
        specialize (Hu' O). cbn [nth] in Hu'.
        assert (Huse : 0 < use a (t + 1 + Z.of_nat 0)).
        { rewrite Z.add_0_r. unfold use. unfold runs in Hrun. rewrite Hrun.
          destruct (Hvalid a Ha) as [[Hs _] _]. apply andb_true_iff in Hrun as [H1 _]. lia. }
        unfold runs in Hrun. apply andb_true_iff in Hrun as [Hrun _].
        destruct (in_split a l Ha) as (l1 & l2 & E). rewrite E, total_app in Hu'. cbn [total] in Hu'.
        rewrite Hrun in Hu'.
        assert (Hpos : forall k, (forall b, In b k -> In b l) ->
            0 <= total (fun a => if start a <? t + 1 then use a (t + 1 + Z.of_nat 0) else 0) k).
        { intros k Hk. apply total_nonneg. intros c Hc. destruct (start c <? t + 1); [|lia].
          apply use_nonneg, Hvalid, Hk, Hc. }
        assert (H1 := Hpos l1 ltac:(intros c Hc; rewrite E; apply in_or_app; auto)).
        assert (H2 := Hpos l2 ltac:(intros c Hc; rewrite E; apply in_or_app; simpl; auto)).
        lia.
      + assert (Hp' : forall j, nth j p' 0 = load (t + 1) j).
        { intros j. specialize (Hu' (Datatypes.S j)). cbn [nth] in Hu'. rewrite Hu'. unfold load.
          apply total_ext. intros a _.
          replace (t + 1 + Z.of_nat (Datatypes.S j)) with (t + 1 + 1 + Z.of_nat j) by lia. reflexivity. }
        apply orb_true_iff in Hfine as [Hknown|Hmuch].
        * right. unfold known in Hknown.
          destruct (cost_of_state S (W (t + 1)) p') as [g'|] eqn:E; [|discriminate].
          exists p', g'. split; [exact E|]. split; [exact Hp'|]. lia.
        * left. unfold too_much in Hmuch.
          assert (Hd : match KeyMap.find (W (t + 1)) R with Some d => d
              | None => prepare M kinds (W (t + 1)) end = prepare M kinds (W (t + 1))).
          { destruct (KeyMap.find _ R) eqn:E; [apply HR, E|reflexivity]. }
          rewrite Hd in Hmuch.
          destruct (later_schedule (t + 1) ltac:(lia)) as [Hl' Hbeside].
          pose proof (to_come_below M kinds (W (t + 1)) (map of (later (t + 1)))
            (map (set_back (t + 1)) (later (t + 1))) p' HM Hkinds) as Hbound.
          specialize (Hbound (fun n Hn => counts_nonneg _ _ Hn)).
          specialize (Hbound (some_types (fun a => t + 1 <=? start a)) Hl').
          specialize (Hbound ltac:(intros j; rewrite Hp'; apply Hbeside)).
          pose proof (starts_split (t + 1) ltac:(lia)). lia.
  Qed.

  Lemma reached_all : reached 0 -> target <= total start l.
  Proof.
    intros H0.
    assert (H : forall n : nat, target <= total start l \/ reached (Z.of_nat n)).
    { induction n as [|n [IH|IH]]; [right; exact H0|left; exact IH|].
      rewrite Nat2Z.inj_succ. apply reached_step; [lia|exact IH]. }
    destruct (all_complete l) as (T & HT).
    destruct (H T) as [Hdone|Hreached]; [exact Hdone|].
    destruct (Z.le_gt_cases target (total start l)) as [Hdone|Hless]; [exact Hdone|exfalso].
    (* nobody waits any more *)
    assert (Hnone : forall a, In a l -> start a < Z.of_nat T).
    { intros a Ha. specialize (HT a Ha). destruct (Hvalid a Ha) as [[_ Ho] _]. unfold completion in HT. lia. }
    destruct Hreached as (p & g & Hfind & Hp & Hg).
    destruct (choices_in M (map shape kinds)) with (ws := W (Z.of_nat T)) (cs := C (Z.of_nat T)) (used := p)
      as (u & Hu & _).
    - intros s j Hs. apply in_map_iff in Hs as (q & <- & Hq). destruct (Hkinds q Hq) as [Hpr _].
      unfold shape. rewrite nth_count_on. destruct (_ <? _); lia.
    - unfold W, counts_of. rewrite !map_length. reflexivity.
    - apply C_below.
    - intros j. rewrite Hp, load_step. apply load_fits.
    - rewrite W_step in Hu. pose proof (closed_spec _ _ _ Hfind _ Hu) as Hfine.
      unfold fine_choice in Hfine.
      assert (Hsum : sum (W (Z.of_nat T + 1)) = 0).
      { rewrite sum_W, (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
        intros a Ha. specialize (Hnone a Ha). destruct (Z.leb_spec (Z.of_nat T + 1) (start a)); lia. }
      rewrite Hsum in Hfine. cbn [Z.eqb negb andb] in Hfine. rewrite orb_false_r in Hfine.
      pose proof (G_below (Z.of_nat T)). lia.
  Qed.
End Soundness.

Lemma mapi_find {A B : Type} (f : list Z -> A -> B) m k v :
  KeyMap.find k (KeyMap.mapi f m) = Some v -> exists a, v = f k a.
Proof.
  rewrite KeyFacts.mapi_o.
  - destruct (KeyMap.find k m) as [a|]; [|discriminate]. cbn [option_map]. intros E. inversion E.
    exists a. reflexivity.
  - intros x y e E. unfold Key.eq in E. subst. reflexivity.
Qed.

(* The rule "exhaustive": if the checker says so, every schedule of these requests costs at
   least `low`. *)
Theorem exhaustive_sound M types low limit requests l :
  fst (exhaustive_check M types low limit) = true ->
  Permutation requests (expand types) -> schedule M requests l -> low <= cost l.
Proof.
  unfold exhaustive_check. cbn [fst].
  set (kinds := map fst types). set (counts := map snd types).
  set (target := low - total (fun x => snd x * output (fst x)) types).
  set (x := search _ _ _ _ _ _ _ _). intros H Hperm Hl.
  apply andb_true_iff in H as [H Hsearch]. apply andb_true_iff in H as [H Hdist].
  apply andb_true_iff in H as [HM Htypes]. rewrite forallb_forall in Htypes.
  assert (Hcounts : forall x, In x types -> 0 <= snd x).
  { intros y Hy. specialize (Htypes y Hy). lia. }
  assert (Hzero : at_once kinds).
  { intros q Hq. apply in_map_iff in Hq as (y & <- & Hy). specialize (Htypes y Hy). lia. }
  assert (Hkinds : forall q, In q kinds -> valid_request q).
  { intros q Hq. apply in_map_iff in Hq as (y & <- & Hy). specialize (Htypes y Hy). split; lia. }
  assert (Hrz : at_once requests).
  { apply (at_once_expand types); [|exact Hperm]. intros y Hy. specialize (Htypes y Hy). lia. }
  rewrite (cost_at_once M requests l Hl Hrz).
  destruct (no_idle_round M requests l Hl Hrz) as (l' & Hl' & Hbusy & Hcost & _).
  eapply Z.le_trans; [|exact Hcost]. clear l Hl Hcost. rename l' into l, Hl' into Hl.
  pose proof Hl as (Hof & Hvalid & Hfits). rewrite Forall_forall in Hvalid.
  assert (Hsplit : completions l = total start l + total (fun x => snd x * output (fst x)) types).
  { rewrite <- (total_expand output types Hcounts), <- (total_permutation _ _ _ Hperm), <- Hof, total_map.
    unfold completions. rewrite <- total_add. reflexivity. }
  assert (Hstart : target <= total start l); [|unfold target in Hstart; lia].
  apply orb_true_iff in Hsearch as [Htrivial|Hsearch].
  { assert (0 <= total start l); [|lia]. apply total_nonneg. intros a Ha. destruct (Hvalid a Ha). lia. }
  apply andb_true_iff in Hsearch as [Hsearch Hclosed]. apply andb_true_iff in Hsearch as [_ Hroot].
  assert (Hin : forall a, In a l -> In (of a) kinds).
  { intros a Ha. assert (Hq : In (of a) requests) by (rewrite <- Hof; apply in_map, Ha).
    apply (Permutation_in _ Hperm) in Hq. apply in_expand in Hq as (n & Hq).
    apply in_map_iff. exists (of a, n). auto. }
  eapply (reached_all M kinds l); try eassumption; [lia| |].
  - intros w d Hd. apply mapi_find in Hd as (a & ->). reflexivity.
  - unfold known in Hroot. destruct (cost_of_state (seen x) counts []) as [g|] eqn:E; [|discriminate].
    exists [], g. split; [|split].
    + assert (HW : W kinds l 0 = counts); [|rewrite HW; exact E].
      assert (Hall : later l 0 = l).
      { unfold later. clear -Hvalid. induction l as [|a l IH]; [reflexivity|]. cbn [filter].
        destruct (Hvalid a (or_introl eq_refl)) as [_ Hs]. destruct (Z.leb_spec 0 (start a)); [|lia].
        f_equal. apply IH. intros b Hb. apply Hvalid. simpl. auto. }
      unfold W. rewrite Hall, Hof.
      transitivity (counts_of kinds (expand types)).
      2:{ apply (count_expand kinds types Hdist Hzero Hcounts eq_refl). }
      unfold counts_of. apply map_ext. intros q. apply counts_permutation, Hperm.
    + intros j. unfold load. rewrite (total_ext _ (fun _ => 0)).
      * rewrite total_const. destruct j; reflexivity.
      * intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. destruct (Z.ltb_spec (start a) 0); [lia|reflexivity].
    + assert (0 <= G l 0); [|lia]. apply total_nonneg. intros a Ha. destruct (Hvalid a Ha). lia.
Qed.
