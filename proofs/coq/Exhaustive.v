(* The rule "exhaustive" of FORMAT.md: a search over all states (state_search.md).

   `search` looks for a schedule that is too cheap and keeps the states that it meets; nothing
   is proved about it.  `closed` then goes through these states again: whatever may start in
   one of them leads to another of them, at no less cost than is noted there, or nowhere below
   the sum searched for.  That is what `exhaustive_sound` rests on.

   A state has a time, up to the last release (release_times.md): it is always 0 if everything is
   released at 0. *)

From Coq Require Import ZArith List Lia Bool Permutation Sorted SetoidList.
From Kvopt Require Import Model Sums Staircase Completions Prices Area BusyTime Fluid Paths Types
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

(* States with what it costs to get there, by time and who waits, and by profile; and what is ready. *)
Definition states := KeyMap.t (KeyMap.t Z).
Definition ready_table := KeyMap.t to_do.

Definition cost_of_state (S : states) (key p : list Z) : option Z :=
  match KeyMap.find key S with Some m => KeyMap.find (mark p) m | None => None end.

(* --- Releases ---------------------------------------------------------------------------- *)

(* How many of each shape are released at time t. *)
Definition arriving (kinds : list request) (calendar : KeyMap.t (list Z)) (t : Z) : list Z :=
  match KeyMap.find [t] calendar with Some counts => counts | None => map (fun _ => 0) kinds end.

Fixpoint calendar_of (kinds : list request) (types : list (request * Z)) : KeyMap.t (list Z) :=
  match types with
  | [] => KeyMap.empty _
  | (q, n) :: rest =>
      let calendar := calendar_of kinds rest in
      KeyMap.add [release q]
        (map (fun x => if same (fst x) q then snd x + n else snd x)
          (combine kinds (arriving kinds calendar (release q)))) calendar
  end.

(* All releases, the last one, and the calendar. *)
Record releases := Releases { dates : list Z; final : Z; calendar : KeyMap.t (list Z) }.

Definition releases_of (kinds : list request) (types : list (request * Z)) : releases :=
  let dates := map (fun x => release (fst x)) types in
  Releases dates (latest dates) (calendar_of kinds types).

(* The next release after a time before the last one. *)
Definition next_date (A : releases) (now : Z) : Z :=
  fold_right (fun a next => if now <? a then Z.min a next else next) (final A) (dates A).

(* Where a choice leads at time `now`: `come` are those released one round later, `rest` those who still
   wait, p is the profile one round later.  If nothing runs and nobody waits, nothing happens
   before the next release. *)
Definition is_nil {A : Type} (l : list A) : bool := match l with [] => true | _ => false end.

Definition next_key (kinds : list request) (A : releases) (now : Z) (come rest p : list Z) : list Z :=
  if (now <? final A) && (sum rest =? 0) && is_nil p then
    let t := next_date A now in t :: arriving kinds (calendar A) t
  else Z.min (now + 1) (final A) :: add rest come.

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

Section Search.
  Context (M : Z) (kinds : list request) (shapes : list (list Z)) (A : releases) (target limit : Z).

  (* One choice in a state reached at this cost. *)
  Definition consider (now : Z) (come : list Z) (cost : Z) (x : progress) (choice : list Z * list Z) :
      progress :=
    let (rest, used) := choice in
    let after := cost + sum rest in
    let all_released := final A <=? now in
    if all_released && (after =? cost)
    then Progress (seen x) (ready x) (open x) (looked_at x) (steps x) true
    else if (all_released && is_nil used) || (target <=? after) then x
    else
      let p := tl used in
      let key := next_key kinds A now come rest p in
      match cost_of_state (seen x) key p with
      | Some _ => x
      | None =>
          let due := add rest come in
          let (d, R) := get_ready M kinds (ready x) due in
          let n := steps x + 5 * sum due + Z.of_nat (length p) in
          if target <=? after + to_come M d p
          then Progress (seen x) R (open x) (looked_at x) n (failed x)
          else
            let others := match KeyMap.find [after] (open x) with Some l => l | None => [] end in
            Progress (seen x) R (KeyMap.add [after] ((key, p) :: others) (open x))
              (looked_at x) n (failed x)
      end.

  Definition look_at (cost : Z) (x : progress) (state : list Z * list Z) : progress :=
    let (key, p) := state in
    match key with
    | [] => x
    | now :: waiting =>
        let m := match KeyMap.find key (seen x) with Some m => m | None => KeyMap.empty Z end in
        let q := mark p in
        match failed x, KeyMap.find q m with
        | false, None =>
            let all := choices M shapes waiting p in
            let n := fold_left (fun n _ => n + 1) all (looked_at x) in
            let x' := Progress (KeyMap.add key (KeyMap.add q cost m) (seen x)) (ready x) (open x) n
              (steps x) ((limit <? n) || (max_search_steps <? steps x)) in
            if failed x' then x'
            else fold_left (consider now (arriving kinds (calendar A) (now + 1)) cost) all x'
        | _, _ => x
        end
    end.

  (* States of one cost may lead to others of that cost. *)
  Fixpoint search (fuel : nat) (cost : Z) (x : progress) : progress :=
    match fuel with
    | O => x
    | S fuel' =>
        if failed x || KeyMap.is_empty (open x) then x
        else
          match KeyMap.find [cost] (open x) with
          | None => search fuel' (cost + 1) x
          | Some now =>
              search fuel' cost (fold_left (look_at cost) now
                (Progress (seen x) (ready x) (KeyMap.remove [cost] (open x)) (looked_at x) (steps x) false))
          end
    end.
End Search.

(* --- The check --------------------------------------------------------------------------- *)

Section Check.
  Context (M : Z) (kinds : list request) (shapes : list (list Z)) (A : releases) (target : Z)
    (S : states) (R : ready_table).

  Definition known (key p : list Z) (cost : Z) : bool :=
    match cost_of_state S key p with Some c => c <=? cost | None => false end.

  Definition too_much (waiting p : list Z) (cost : Z) : bool :=
    let d := match KeyMap.find waiting R with Some d => d | None => prepare M kinds waiting end in
    target <=? cost + to_come M d p.

  Definition fine_choice (now : Z) (come : list Z) (cost : Z) (choice : list Z * list Z) : bool :=
    let (rest, used) := choice in
    let after := cost + sum rest in
    let all_released := final A <=? now in
    (target <=? after)
    || negb (all_released && (sum rest =? 0))
       && (all_released && is_nil used
           || known (next_key kinds A now come rest (tl used)) (tl used) after
           || too_much (add rest come) (tl used) after).

  Definition closed : bool :=
    forallb (fun m =>
        match fst m with
        | [] => true
        | now :: waiting =>
            let come := arriving kinds (calendar A) (now + 1) in
            forallb (fun x => forallb (fine_choice now come (snd x)) (choices M shapes waiting (tl (fst x))))
              (KeyMap.elements (snd m))
        end) (KeyMap.elements S).
End Check.

(* The checker: does no schedule cost less than `low`?  The second number is that of the
   choices looked at, at most `limit`. *)
Definition exhaustive_check (M : Z) (types : list (request * Z)) (low limit : Z) : bool * Z :=
  let kinds := map fst (shapes_of types) in
  let A := releases_of kinds types in
  let all_outputs := total (fun x => snd x * output (fst x)) types in
  let target := low - all_outputs in
  let shapes := map shape kinds in
  let root := 0 :: arriving kinds (calendar A) 0 in
  let fuel := target * (all_outputs + Z.of_nat (length types) + 3) in
  let x := search M kinds shapes A target limit (Z.to_nat fuel) 0
    (Progress (KeyMap.empty _) (KeyMap.empty _) (KeyMap.add [0] [(root, [])] (KeyMap.empty _)) 0 0 false) in
  let R := KeyMap.mapi (fun waiting _ => prepare M kinds waiting) (ready x) in
  ((1 <=? M)
    && forallb (fun x => (0 <=? prompt (fst x)) && (1 <=? output (fst x))
         && (0 <=? release (fst x)) && (0 <=? snd x)) types
    && distinct kinds
    && ((target <=? 0)
        || negb (failed x) && known (seen x) root [] 0
           && closed M kinds shapes A target (seen x) R),
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

Lemma areas_sorted types : falling (fun q => fst (weigh_memory q)) types ->
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

Section Starts.
  Context (M : Z) (kinds : list request) (l : list attempt).
  Context (Hdist : distinct kinds = true) (Hzero : at_once kinds).
  Context (Hvalid : forall a, In a l -> valid a) (Hfits : fits M l).
  Context (Hin : forall a, In a l -> In (of a) kinds).

  (* Who starts at time t; their numbers. *)
  Definition now_starting (t : Z) : list attempt := filter (fun a => start a =? t) l.
  Definition C (t : Z) : list Z := counts_of kinds (map of (now_starting t)).

  (* The profile at time t of those who started before t. *)
  Definition load (t : Z) (j : nat) : Z :=
    total (fun a => if start a <? t then use a (t + 1 + Z.of_nat j) else 0) l.

  Lemma some_types (keep : attempt -> bool) :
    Permutation (map of (filter keep l))
      (expand (combine kinds (counts_of kinds (map of (filter keep l))))).
  Proof.
    apply by_types; [exact Hdist|exact Hzero|]. intros q Hq. apply in_map_iff in Hq as (a & <- & Ha).
    apply filter_In in Ha as [Ha _]. apply Hin, Ha.
  Qed.

  Lemma counts_nonneg requests x : In x (counts_of kinds requests) -> 0 <= x.
  Proof. intros Hx. apply in_map_iff in Hx as (q & <- & _). apply count_nonneg. Qed.

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

End Starts.

(* An attempt as if its request were released at 0: it is one, and uses the same tokens. *)
Definition early (a : attempt) : attempt := Attempt (at_zero (of a)) (start a).

Lemma add_counts (f g h : request -> Z) ks : (forall q, f q + g q = h q) ->
  add (map f ks) (map g ks) = map h ks.
Proof. intros H. induction ks as [|k ks IH]; [reflexivity|]. cbn [map add]. rewrite H, IH. reflexivity. Qed.

Lemma less_counts (f g h : request -> Z) ks : (forall q, f q - g q = h q) ->
  less (map f ks) (map g ks) = map h ks.
Proof. intros H. induction ks as [|k ks IH]; [reflexivity|]. cbn [map less]. rewrite H, IH. reflexivity. Qed.

(* The calendar has who is released when. *)
Lemma calendar_spec kinds types t :
  arriving kinds (calendar_of kinds types) t =
  map (fun k => total (fun x => if same k (fst x) && (release (fst x) =? t) then snd x else 0) types) kinds.
Proof.
  induction types as [|[q n] types IH].
  - unfold arriving. cbn [calendar_of]. rewrite KeyFacts.empty_o. reflexivity.
  - unfold arriving. cbn [calendar_of]. rewrite KeyFacts.add_o. cbn [total fst snd].
    destruct (KeyFacts.eq_dec [release q] [t]) as [E|E].
    + inversion E. subst t. rewrite IH. rewrite Z.eqb_refl. clear.
      assert (H : forall g ks, map (fun x : request * Z => if same (fst x) q then snd x + n else snd x)
          (combine ks (map g ks)) = map (fun k => (if same k q && true then n else 0) + g k) ks).
      { intros g ks. induction ks as [|k ks IH]; [reflexivity|]. cbn [map combine fst snd]. rewrite IH.
        f_equal. destruct (same k q); cbn [andb]; lia. }
      apply H.
    + fold (arriving kinds (calendar_of kinds types) t). rewrite IH. apply map_ext. intros k.
      destruct (Z.eqb_spec (release q) t) as [Et|_]; [exfalso; apply E; rewrite Et; reflexivity|].
      rewrite andb_false_r. reflexivity.
Qed.

Lemma next_date_spec A now : now < final A ->
  now < next_date A now <= final A /\ forall a, In a (dates A) -> now < a -> next_date A now <= a.
Proof.
  intros Hnow. unfold next_date. induction (dates A) as [|b l [IH1 IH2]]; cbn [fold_right].
  - split; [lia|intros a []].
  - destruct (Z.ltb_spec now b); (split; [lia|]); intros a [<-|Ha] Hlate; try lia; specialize (IH2 a Ha Hlate); lia.
Qed.

Lemma find_elements {A : Type} (m : KeyMap.t A) k v :
  KeyMap.find k m = Some v -> In (k, v) (KeyMap.elements m).
Proof.
  intros H. apply KeyMap.find_2 in H. apply KeyMap.elements_1 in H.
  apply InA_alt in H as ([k' v'] & [E1 E2] & Hin'). simpl in E1, E2. unfold Key.eq in E1. subst.
  exact Hin'.
Qed.

Section Soundness.
  Context (M : Z) (types : list (request * Z)) (kinds : list request) (l : list attempt).
  Context (HM : 1 <= M) (Hdist : distinct kinds = true) (Hzero : at_once kinds)
    (Hkinds : forall q, In q kinds -> valid_request q).
  Context (Hvalid : forall a, In a l -> valid a) (Hfits : fits M l).
  Context (Hin : forall a, In a l -> In (at_zero (of a)) kinds).
  Context (Hcounts : forall x, In x types -> 0 <= snd x)
    (Hperm : Permutation (map of l) (expand types)).
  Let A : releases := releases_of kinds types.
  Context (Hbusy : busy_after (final A) l).
  Let l0 : list attempt := map early l.

  Lemma l0_valid a : In a l0 -> valid a.
  Proof.
    intros Ha. apply in_map_iff in Ha as (b & <- & Hb). destruct (Hvalid b Hb) as [Hq Hs].
    split; [exact Hq|]. cbn [early of start at_zero release]. lia.
  Qed.

  Lemma l0_fits : fits M l0.
  Proof. intros r. unfold memory, l0. rewrite total_map. apply Hfits. Qed.

  Lemma l0_in a : In a l0 -> In (of a) kinds.
  Proof. intros Ha. apply in_map_iff in Ha as (b & <- & Hb). apply Hin, Hb. Qed.

  Lemma load_l0 t j : load l0 t j = total (fun a => if start a <? t then use a (t + 1 + Z.of_nat j) else 0) l.
  Proof. unfold load, l0. rewrite total_map. reflexivity. Qed.

  Lemma in_dates a : In a l -> In (release (of a)) (dates A).
  Proof.
    intros Ha. assert (Hq : In (of a) (expand types)) by (apply (Permutation_in _ Hperm), in_map, Ha).
    apply in_expand in Hq as (n & Hq). apply in_map_iff. exists (of a, n). auto.
  Qed.

  Lemma before_final a : In a l -> release (of a) <= final A.
  Proof. intros Ha. apply latest_ge, in_dates, Ha. Qed.

  Lemma final_nonneg : 0 <= final A.
  Proof. apply latest_nonneg. Qed.

  (* The numbers of some attempts, by shapes. *)
  Definition numbers_of (keep : attempt -> bool) : list Z := counts_of kinds (map of (filter keep l)).

  Lemma count_kept q keep : count q (map of (filter keep l)) =
    total (fun a => if keep a then if same q (of a) then 1 else 0 else 0) l.
  Proof. unfold count. rewrite total_map, total_filter. reflexivity. Qed.

  Lemma sum_numbers_of keep : sum (numbers_of keep) = total (fun a => if keep a then 1 else 0) l.
  Proof.
    unfold sum, numbers_of. rewrite counts_total; [|exact Hdist|exact Hzero|].
    - rewrite map_length, <- (total_filter keep (fun _ => 1)), total_const. lia.
    - intros q Hq. apply in_map_iff in Hq as (a & <- & Ha). apply filter_In in Ha as [Ha _]. apply Hin, Ha.
  Qed.

  (* Who is released and has not started before time t; who of them does not start at t. *)
  Definition waits (t : Z) (a : attempt) : bool := (release (of a) <=? t) && (t <=? start a).
  Definition stays (t : Z) (a : attempt) : bool := (release (of a) <=? t) && (t + 1 <=? start a).
  Definition W (t : Z) : list Z := numbers_of (waits t).

  Lemma C_numbers t : C kinds l0 t = numbers_of (fun a => start a =? t).
  Proof.
    unfold C, numbers_of, counts_of. apply map_ext. intros q. unfold now_starting, l0, count.
    rewrite !total_map, !total_filter, total_map. reflexivity.
  Qed.

  Lemma starts_step t : less (W t) (C kinds l0 t) = numbers_of (stays t).
  Proof.
    rewrite C_numbers. apply less_counts. intros q. rewrite !count_kept.
    assert (total (fun a => if waits t a then if same q (of a) then 1 else 0 else 0) l =
      total (fun a => if start a =? t then if same q (of a) then 1 else 0 else 0) l
      + total (fun a => if stays t a then if same q (of a) then 1 else 0 else 0) l); [|lia].
    rewrite <- total_add. apply total_ext. intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. unfold waits, stays.
    destruct (same q (of a)), (Z.leb_spec (release (of a)) t), (Z.leb_spec t (start a)), (Z.eqb_spec (start a) t),
      (Z.leb_spec (t + 1) (start a)); cbn [andb]; lia.
  Qed.

  Lemma C_below t : Forall2 (fun c w => 0 <= c <= w) (C kinds l0 t) (W t).
  Proof.
    rewrite C_numbers. unfold W, numbers_of, counts_of.
    assert (H : forall q, 0 <= count q (map of (filter (fun a => start a =? t) l))
        <= count q (map of (filter (waits t) l))).
    { intros q. split; [apply count_nonneg|]. rewrite !count_kept. apply total_le. intros a Ha.
      destruct (Hvalid a Ha) as [_ Hs]. unfold waits.
      destruct (same q (of a)), (Z.leb_spec (release (of a)) t), (Z.leb_spec t (start a)), (Z.eqb_spec (start a) t);
        cbn [andb]; lia. }
    generalize kinds as ks. induction ks as [|k ks IH]; cbn [map]; constructor; auto.
  Qed.

  Lemma arriving_numbers t : arriving kinds (calendar A) t = numbers_of (fun a => release (of a) =? t).
  Proof.
    unfold A. cbn [releases_of calendar]. rewrite calendar_spec. apply map_ext. intros q. rewrite count_kept.
    transitivity (total (fun x => snd x * (if same q (fst x) && (release (fst x) =? t) then 1 else 0)) types).
    { apply total_ext. intros x _. destruct (_ && _); lia. }
    rewrite <- (total_expand (fun q' => if same q q' && (release q' =? t) then 1 else 0)) by exact Hcounts.
    rewrite <- (total_permutation _ _ _ Hperm), total_map. apply total_ext. intros a _.
    destruct (same q (of a)), (release (of a) =? t); reflexivity.
  Qed.

  Lemma arrivals_step t : add (numbers_of (stays t)) (arriving kinds (calendar A) (t + 1)) = W (t + 1).
  Proof.
    rewrite arriving_numbers. apply add_counts. intros q. rewrite !count_kept, <- total_add.
    apply total_ext. intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. unfold waits, stays.
    destruct (same q (of a)), (Z.leb_spec (release (of a)) t), (Z.leb_spec (release (of a)) (t + 1)),
      (Z.leb_spec (t + 1) (start a)), (Z.eqb_spec (release (of a)) (t + 1)); cbn [andb]; lia.
  Qed.

  (* After the last release nobody comes. *)
  Lemma arriving_late t : final A <= t -> arriving kinds (calendar A) (t + 1) = arriving kinds (calendar A) (final A + 1).
  Proof.
    intros Ht. rewrite !arriving_numbers. apply map_ext. intros q. rewrite !count_kept. apply total_ext.
    intros a Ha. pose proof (before_final a Ha).
    destruct (Z.eqb_spec (release (of a)) (t + 1)), (Z.eqb_spec (release (of a)) (final A + 1)); lia.
  Qed.

  (* The cost so far. *)
  Definition G (t : Z) : Z := total (fun a => Z.max 0 (Z.min (start a) t - release (of a))) l.
  Definition waited : Z := total (fun a => start a - release (of a)) l.

  Lemma G_step t : G (t + 1) = G t + sum (numbers_of (stays t)).
  Proof.
    rewrite sum_numbers_of. unfold G. rewrite <- total_add. apply total_ext. intros a Ha. unfold stays.
    destruct (Z.leb_spec (release (of a)) t), (Z.leb_spec (t + 1) (start a)); cbn [andb]; lia.
  Qed.

  Lemma G_rises t t' : t <= t' -> G t <= G t'.
  Proof. intros H. apply total_le. intros. lia. Qed.

  Lemma G_below t : G t <= waited.
  Proof. apply total_le. intros a Ha. destruct (Hvalid a Ha). lia. Qed.

  (* Those who wait at time t, with the clock set back. *)
  Definition set_back (t : Z) (a : attempt) : attempt := Attempt (at_zero (of a)) (start a - t).
  Definition later (t : Z) : list attempt := map (set_back t) (filter (waits t) l).

  Lemma later_schedule t : 0 <= t ->
    schedule M (map of (later t)) (later t) /\
    forall j, memory (later t) (Z.of_nat j + 1) + load l0 t j <= M.
  Proof.
    intros Ht.
    assert (Hmem : forall r, memory (later t) r = total (fun a => if waits t a then use a (t + r) else 0) l).
    { intros r. unfold memory, later. rewrite total_map, total_filter. apply total_ext.
      intros a _. destruct (waits t a); [|reflexivity].
      unfold use, completion, set_back. cbn [of start at_zero prompt output].
      destruct (Z.ltb_spec (start a - t) r), (Z.ltb_spec (start a) (t + r)); try lia; cbn [andb]; try lia.
      destruct (Z.leb_spec r (start a - t + output (of a))),
        (Z.leb_spec (t + r) (start a + output (of a))); try lia. }
    split.
    - split; [reflexivity|]. split.
      + apply Forall_forall. intros a' Ha'. apply in_map_iff in Ha' as (a & <- & Ha).
        apply filter_In in Ha as [Ha Hta]. destruct (Hvalid a Ha) as [Hq Hs].
        split; [exact Hq|]. cbn [of start set_back at_zero release]. unfold waits in Hta. lia.
      + intros r. rewrite Hmem. eapply Z.le_trans; [|apply (Hfits (t + r))]. apply total_le.
        intros a Ha. pose proof (use_nonneg a (t + r) (Hvalid a Ha)). destruct (waits t a); lia.
    - intros j. rewrite Hmem, load_l0, <- total_add.
      eapply Z.le_trans; [|apply (Hfits (t + 1 + Z.of_nat j))]. apply total_le. intros a Ha.
      replace (t + (Z.of_nat j + 1)) with (t + 1 + Z.of_nat j) by lia.
      pose proof (use_nonneg a (t + 1 + Z.of_nat j) (Hvalid a Ha)). unfold waits.
      destruct (Z.leb_spec (release (of a)) t), (Z.leb_spec t (start a)), (Z.ltb_spec (start a) t); cbn [andb]; lia.
  Qed.

  Lemma starts_split t : G t + (completions (later t) - total output (map of (later t))) <= waited.
  Proof.
    unfold completions, G, later. rewrite !total_map, !total_filter.
    assert (total (fun a => Z.max 0 (Z.min (start a) t - release (of a))) l
      + total (fun a => if waits t a then completion (set_back t a) else 0) l
      <= waited + total (fun a => if waits t a then output (of (set_back t a)) else 0) l); [|lia].
    unfold waited. rewrite <- !total_add. apply total_le. intros a Ha. destruct (Hvalid a Ha) as [_ Hs].
    unfold waits, completion, set_back. cbn [start of at_zero output].
    destruct (Z.leb_spec (release (of a)) t), (Z.leb_spec t (start a)); cbn [andb]; lia.
  Qed.

  Lemma later_shapes t : Permutation (map of (later t)) (expand (combine kinds (W t))).
  Proof.
    unfold later. rewrite map_map.
    replace (map (fun a => of (set_back t a)) (filter (waits t) l))
      with (map at_zero (map of (filter (waits t) l))) by (rewrite map_map; reflexivity).
    apply by_shapes; [exact Hdist|exact Hzero|]. intros q Hq. apply in_map_iff in Hq as (a & <- & Ha).
    apply filter_In in Ha as [Ha _]. apply Hin, Ha.
  Qed.

  Context (target : Z) (S : states) (R : ready_table).
  Context (HR : forall w d, KeyMap.find w R = Some d -> d = prepare M kinds w).
  Context (Hclosed : closed M kinds (map shape kinds) A target S R = true).

  (* The schedule is in a known state at time t. *)
  Definition reached (t : Z) : Prop :=
    exists p g, cost_of_state S (Z.min t (final A) :: W t) p = Some g
      /\ (forall j, nth j p 0 = load l0 t j) /\ g <= G t.

  Lemma closed_spec now w p g : cost_of_state S (now :: w) p = Some g ->
    forall choice, In choice (choices M (map shape kinds) w p) ->
    fine_choice M kinds A target S R now (arriving kinds (calendar A) (now + 1)) g choice = true.
  Proof.
    unfold cost_of_state. intros H choice Hchoice.
    destruct (KeyMap.find (now :: w) S) as [m|] eqn:Em; [|discriminate].
    unfold closed in Hclosed. rewrite forallb_forall in Hclosed.
    specialize (Hclosed _ (find_elements _ _ _ Em)). cbn [fst snd] in Hclosed.
    rewrite forallb_forall in Hclosed. specialize (Hclosed _ (find_elements _ _ _ H)).
    cbn [fst snd] in Hclosed. rewrite mark_key in Hclosed. rewrite forallb_forall in Hclosed. apply Hclosed, Hchoice.
  Qed.

  (* What the schedule does at time t is a choice, and it is fine. *)
  Lemma fine_step t : reached t -> exists u g,
    (forall j, nth j u 0 = total (fun a => if start a <? t + 1 then use a (t + 1 + Z.of_nat j) else 0) l)
    /\ g <= G t
    /\ fine_choice M kinds A target S R (Z.min t (final A)) (arriving kinds (calendar A) (Z.min t (final A) + 1)) g
         (numbers_of (stays t), u) = true.
  Proof.
    intros (p & g & Hfind & Hp & Hg).
    destruct (choices_in M (map shape kinds)) with (ws := W t) (cs := C kinds l0 t) (used := p)
      as (u & Hu & Hnth).
    - intros s j Hs. apply in_map_iff in Hs as (q & <- & Hq). destruct (Hkinds q Hq) as [Hpr _].
      unfold shape. rewrite nth_count_on. destruct (_ <? _); lia.
    - unfold W, numbers_of, counts_of. rewrite !map_length. reflexivity.
    - apply C_below.
    - intros j. rewrite Hp, (load_step kinds l0 Hdist Hzero l0_valid l0_in).
      apply (load_fits M l0 l0_valid l0_fits).
    - exists u, g. split; [|split; [exact Hg|]].
      + intros j. rewrite Hnth, Hp, (load_step kinds l0 Hdist Hzero l0_valid l0_in).
        unfold l0. rewrite total_map. reflexivity.
      + rewrite starts_step in Hu. apply (closed_spec _ _ _ _ Hfind _ Hu).
  Qed.

  (* After the last release some round is idle only if nobody waits. *)
  Lemma not_idle t u : 0 <= t -> final A <= t ->
    (forall j, nth j u 0 = total (fun a => if start a <? t + 1 then use a (t + 1 + Z.of_nat j) else 0) l) ->
    sum (numbers_of (stays t)) <> 0 -> is_nil u = false.
  Proof.
    intros Ht HA Hu Hsome. destruct u as [|x u]; [exfalso|reflexivity]. rewrite sum_numbers_of in Hsome.
    assert (Hex : exists a, In a l /\ t + 1 <= start a).
    { clear -Hsome. induction l as [|a l' IH]; [simpl in Hsome; lia|]. cbn [total] in Hsome. unfold stays in Hsome at 1.
      destruct (Z.leb_spec (t + 1) (start a)) as [H|H]; [exists a; simpl; auto|].
      rewrite andb_false_r in Hsome. destruct IH as (b & Hb & Hs); [lia|]. exists b. simpl. auto. }
    destruct Hex as (b & Hb & Hsb). destruct (Hvalid b Hb) as [[_ Hob] _].
    destruct (Hbusy (t + 1)) as (a & Ha & Hrun); [lia|exists b; split; [exact Hb|unfold completion; lia]|].
    specialize (Hu O). cbn [nth] in Hu.
    assert (Huse : 0 < use a (t + 1 + Z.of_nat 0)).
    { rewrite Z.add_0_r. unfold use. unfold runs in Hrun. rewrite Hrun.
      destruct (Hvalid a Ha) as [[Hs _] _]. apply andb_true_iff in Hrun as [H1 _]. lia. }
    unfold runs in Hrun. apply andb_true_iff in Hrun as [Hrun _].
    destruct (in_split a l Ha) as (l1 & l2 & E). rewrite E, total_app in Hu. cbn [total] in Hu.
    rewrite Hrun in Hu.
    assert (Hpos : forall k, (forall b, In b k -> In b l) ->
        0 <= total (fun a => if start a <? t + 1 then use a (t + 1 + Z.of_nat 0) else 0) k).
    { intros k Hk. apply total_nonneg. intros c Hc. destruct (start c <? t + 1); [|lia].
      apply use_nonneg, Hvalid, Hk, Hc. }
    assert (H1 := Hpos l1 ltac:(intros c Hc; rewrite E; apply in_or_app; auto)).
    assert (H2 := Hpos l2 ltac:(intros c Hc; rewrite E; apply in_or_app; simpl; auto)).
    lia.
  Qed.

  (* If nothing runs and nobody waits, the next that happens is a release. *)
  Lemma wait_for_release t : 0 <= t < final A -> sum (numbers_of (stays t)) = 0 ->
    (forall j, load l0 (t + 1) j = 0) ->
    let t' := next_date A t in t < t' <= final A /\ W t' = arriving kinds (calendar A) t' /\
      (forall j, load l0 t' j = 0).
  Proof.
    intros Ht Hnobody Hload t'. destruct (next_date_spec A t ltac:(lia)) as [Hlate Hnext]. fold t' in Hlate, Hnext.
    assert (Hall : forall a, In a l -> start a <= t \/ t' <= release (of a)).
    { intros a Ha. rewrite sum_numbers_of in Hnobody.
      destruct (Z.le_gt_cases (start a) t) as [|Hsa]; [left; assumption|right].
      apply (Hnext _ (in_dates a Ha)). destruct (Z.le_gt_cases (release (of a)) t) as [Hra|]; [exfalso|assumption].
      destruct (in_split a l Ha) as (l1 & l2 & E). rewrite E, total_app in Hnobody. cbn [total] in Hnobody.
      assert (Hpos : forall k, 0 <= total (fun a => if stays t a then 1 else 0) k).
      { intros k. apply total_nonneg. intros b _. destruct (stays t b); lia. }
      pose proof (Hpos l1). pose proof (Hpos l2). unfold stays in Hnobody at 2.
      destruct (Z.leb_spec (release (of a)) t), (Z.leb_spec (t + 1) (start a)); cbn [andb] in Hnobody; lia. }
    split; [exact Hlate|]. split.
    - rewrite arriving_numbers. apply map_ext. intros q. rewrite !count_kept. apply total_ext. intros a Ha.
      specialize (Hall a Ha). destruct (Hvalid a Ha) as [_ Hs]. unfold waits.
      destruct (Z.leb_spec (release (of a)) t'), (Z.leb_spec t' (start a)), (Z.eqb_spec (release (of a)) t');
        cbn [andb]; lia.
    - intros j. specialize (Hload (Z.to_nat (t' - t - 1) + j)%nat). rewrite load_l0 in *.
      eapply eq_trans; [|exact Hload]. apply total_ext. intros a Ha. specialize (Hall a Ha). destruct (Hvalid a Ha) as [_ Hs].
      replace (t + 1 + 1 + Z.of_nat (Z.to_nat (t' - t - 1) + j)) with (t' + 1 + Z.of_nat j) by lia.
      destruct (Z.ltb_spec (start a) t'), (Z.ltb_spec (start a) (t + 1)); try lia; reflexivity.
  Qed.

  Lemma reached_step t : 0 <= t -> reached t ->
    target <= waited \/ exists t', t < t' /\ reached t'.
  Proof.
    intros Ht Hreached. destruct (fine_step t Hreached) as (u & g & Hu & Hg & Hfine).
    unfold fine_choice in Hfine. set (now := Z.min t (final A)) in *. set (rest := numbers_of (stays t)) in *.
    pose proof (G_step t) as HG. fold rest in HG. pose proof (G_below (t + 1)) as HGb.
    destruct (Z.leb_spec target (g + sum rest)) as [Hmuch|Hless]; [left; lia|].
    cbn [orb] in Hfine. apply andb_true_iff in Hfine as [Hopen Hfine]. apply negb_true_iff in Hopen.
    assert (Hcome : arriving kinds (calendar A) (now + 1) = arriving kinds (calendar A) (t + 1)).
    { unfold now. destruct (Z.le_gt_cases t (final A)) as [Hle|Hgt].
      - replace (Z.min t (final A)) with t by lia. reflexivity.
      - rewrite (arriving_late t) by lia. replace (Z.min t (final A)) with (final A) by lia. reflexivity. }
    rewrite Hcome in Hfine.
    assert (Hdue : add rest (arriving kinds (calendar A) (t + 1)) = W (t + 1)) by apply arrivals_step.
    assert (Hp : forall j, nth j (tl u) 0 = load l0 (t + 1) j).
    { intros j. rewrite load_l0. specialize (Hu (Datatypes.S j)).
      replace (nth j (tl u) 0) with (nth (Datatypes.S j) u 0) by (destruct u; [destruct j; reflexivity|reflexivity]).
      rewrite Hu. apply total_ext. intros a _.
      replace (t + 1 + Z.of_nat (Datatypes.S j)) with (t + 1 + 1 + Z.of_nat j) by lia. reflexivity. }
    apply orb_true_iff in Hfine as [Hfine|Hmuch]; [apply orb_true_iff in Hfine as [Hidle|Hknown]|].
    - (* the next round is not idle *)
      exfalso. apply andb_true_iff in Hidle as [Hall Hnil].
      rewrite Hall in Hopen. cbn [andb] in Hopen. apply Z.eqb_neq in Hopen. apply Z.leb_le in Hall.
      rewrite (not_idle t u Ht ltac:(unfold now in Hall; lia) Hu Hopen) in Hnil. discriminate.
    - right. unfold known in Hknown.
      destruct (cost_of_state S (next_key kinds A now (arriving kinds (calendar A) (t + 1)) rest (tl u)) (tl u)) as [g'|]
        eqn:E; [|discriminate].
      unfold next_key in E. destruct ((now <? final A) && (sum rest =? 0) && is_nil (tl u)) eqn:Ejump.
      + apply andb_true_iff in Ejump as [Ejump Hnil]. apply andb_true_iff in Ejump as [Hnow Hnobody].
        assert (Et : now = t) by lia. rewrite Et in *.
        assert (Hload : forall j, load l0 (t + 1) j = 0).
        { intros j. rewrite <- Hp. destruct (tl u); [destruct j; reflexivity|discriminate]. }
        destruct (wait_for_release t ltac:(lia) ltac:(fold rest; lia) Hload) as (Hlate & HW & Hload').
        exists (next_date A t). split; [lia|]. exists (tl u), g'. split; [|split].
        * rewrite HW. replace (Z.min (next_date A t) (final A)) with (next_date A t) by lia. exact E.
        * intros j. rewrite Hload', Hp. apply Hload.
        * pose proof (G_rises (t + 1) (next_date A t) ltac:(lia)). lia.
      + exists (t + 1). split; [lia|]. exists (tl u), g'. split; [|split; [exact Hp|lia]].
        rewrite Hdue in E. replace (Z.min (t + 1) (final A)) with (Z.min (now + 1) (final A)) by lia. exact E.
    - left. unfold too_much in Hmuch. rewrite Hdue in Hmuch.
      assert (Hd : match KeyMap.find (W (t + 1)) R with Some d => d
          | None => prepare M kinds (W (t + 1)) end = prepare M kinds (W (t + 1))).
      { destruct (KeyMap.find _ R) eqn:E; [apply HR, E|reflexivity]. }
      rewrite Hd in Hmuch.
      destruct (later_schedule (t + 1) ltac:(lia)) as [Hl' Hbeside].
      pose proof (to_come_below M kinds (W (t + 1)) (map of (later (t + 1))) (later (t + 1)) (tl u) HM Hkinds
        (fun n Hn => counts_nonneg kinds _ _ Hn) (later_shapes (t + 1)) Hl') as Hbound.
      specialize (Hbound ltac:(intros j; rewrite Hp; apply Hbeside)).
      pose proof (starts_split (t + 1)). lia.
  Qed.

  Lemma reached_all : reached 0 -> target <= waited.
  Proof.
    intros H0.
    assert (H : forall n : nat, target <= waited \/ exists t, Z.of_nat n <= t /\ reached t).
    { induction n as [|n [IH|(t & Hn & Ht)]]; [right; exists 0; split; [lia|exact H0]|left; exact IH|].
      destruct (reached_step t ltac:(lia) Ht) as [Hdone|(t' & Hlate & Ht')]; [left; exact Hdone|right].
      exists t'. split; [lia|exact Ht']. }
    destruct (all_complete l) as (T & HT). pose proof final_nonneg as HA.
    destruct (H (T + Z.to_nat (final A))%nat) as [Hdone|(t & Hn & Hreached)]; [exact Hdone|].
    (* nobody waits any more *)
    destruct (fine_step t Hreached) as (u & g & _ & Hg & Hfine).
    assert (Hsum : sum (numbers_of (stays t)) = 0).
    { rewrite sum_numbers_of, (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
      intros a Ha. specialize (HT a Ha). destruct (Hvalid a Ha) as [[_ Ho] _]. unfold completion in HT.
      unfold stays. destruct (Z.leb_spec (t + 1) (start a)); [lia|]. rewrite andb_false_r. reflexivity. }
    unfold fine_choice in Hfine. rewrite Hsum in Hfine. replace (final A <=? Z.min t (final A)) with true in Hfine by lia.
    cbn [Z.eqb negb andb] in Hfine. rewrite orb_false_r in Hfine.
    pose proof (G_below t). lia.
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
  set (kinds := map fst (shapes_of types)). set (A := releases_of kinds types).
  set (target := low - total (fun x => snd x * output (fst x)) types).
  set (x := search _ _ _ _ _ _ _ _ _). intros H Hperm Hl.
  apply andb_true_iff in H as [H Hsearch]. apply andb_true_iff in H as [H Hdist].
  apply andb_true_iff in H as [HM Htypes]. rewrite forallb_forall in Htypes.
  assert (Hcounts : forall x, In x types -> 0 <= snd x).
  { intros y Hy. specialize (Htypes y Hy). lia. }
  destruct (shapes_in types Hcounts) as (Hzero & Hshape & Hshapes). fold kinds in Hzero, Hshape, Hshapes.
  assert (Hkinds : forall q, In q kinds -> valid_request q).
  { intros q Hq. destruct (Hshape q Hq) as (y & Hy & ->). specialize (Htypes y Hy).
    split; cbn [at_zero prompt output]; lia. }
  assert (Hlate : forall q, In q requests -> release q <= final A).
  { intros q Hq. apply (Permutation_in _ Hperm) in Hq. apply in_expand in Hq as (n & Hq).
    apply latest_ge, in_map_iff. exists (q, n). auto. }
  destruct (no_idle_after (final A) M requests l Hl (latest_nonneg _) Hlate) as (l' & Hl' & Hbusy & Hcost & _).
  assert (Hless : cost l' <= cost l).
  { rewrite !cost_completions. destruct Hl as [-> _], Hl' as [-> _]. lia. }
  eapply Z.le_trans; [|exact Hless]. clear l Hl Hcost Hless. rename l' into l, Hl' into Hl.
  destruct Hl as (Hof & Hvalid & Hfits). rewrite Forall_forall in Hvalid.
  assert (Hsplit : cost l = waited l + total (fun x => snd x * output (fst x)) types).
  { rewrite <- (total_expand output types Hcounts), <- (total_permutation _ _ _ Hperm), <- Hof, total_map.
    unfold cost, waited. rewrite <- total_add. apply total_ext. intros a _. unfold completion. lia. }
  assert (Hstart : target <= waited l); [|unfold target in Hstart; lia].
  apply orb_true_iff in Hsearch as [Htrivial|Hsearch].
  { assert (0 <= waited l); [|lia]. apply total_nonneg. intros a Ha. destruct (Hvalid a Ha). lia. }
  apply andb_true_iff in Hsearch as [Hsearch Hclosed]. apply andb_true_iff in Hsearch as [_ Hroot].
  rewrite <- Hof in Hperm.
  assert (Hin : forall a, In a l -> In (at_zero (of a)) kinds).
  { intros a Ha. apply Hshapes, (Permutation_in _ Hperm), in_map, Ha. }
  eapply (reached_all M types kinds l); try eassumption; [lia| |].
  - intros w d Hd. apply mapi_find in Hd as (a & ->). reflexivity.
  - unfold known in Hroot.
    destruct (cost_of_state (seen x) (0 :: arriving kinds (calendar A) 0) []) as [g|] eqn:E; [|discriminate].
    exists [], g. split; [|split].
    + assert (HW : W kinds l 0 = arriving kinds (calendar A) 0).
      { unfold A. rewrite (arriving_numbers types kinds l Hcounts Hperm). apply map_ext. intros q.
        rewrite !count_kept. apply total_ext. intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. unfold waits.
        destruct (Z.leb_spec (release (of a)) 0), (Z.leb_spec 0 (start a)), (Z.eqb_spec (release (of a)) 0);
          cbn [andb]; lia. }
      pose proof (final_nonneg types kinds) as HA. fold A in HA |- *. rewrite HW, Z.min_l by exact HA. exact E.
    + intros j. rewrite load_l0, (total_ext _ (fun _ => 0)).
      * rewrite total_const. destruct j; reflexivity.
      * intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. destruct (Z.ltb_spec (start a) 0); [lia|reflexivity].
    + assert (0 <= G l 0); [|lia]. apply total_nonneg. intros. lia.
Qed.
