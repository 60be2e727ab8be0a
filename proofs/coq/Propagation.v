(* The rule "propagation" of FORMAT.md: start-time domains in a tree of splits and duals.  Lemma 1
   and Theorem 5 of propagation.md. *)

From Coq Require Import ZArith List Lia Bool Permutation Sorted.
From Kvopt Require Import Model Sums Prices Upper Pieces FirstCompletion LinearDuals Area BusyTime Domains.
Import ListNotations.
Open Scope Z_scope.

(* --- Trees ------------------------------------------------------------------------------- *)

Record node_duals := NodeDuals {
  of_families : list family;
  of_memory : list (Z * Z);
  of_covers : list (Z * Z * Z);
  of_branch : list Z
}.

(* A split: at most so many requests of a type start before a time, or more. *)
Inductive domain_tree :=
  | DomainLeaf (own : option node_duals)
  | DomainSplit (own : option node_duals) (q : request) (until most : Z) (few many : domain_tree).

(* Windows of the requests j, j + 1, ... of a type on either side of a split. *)
Fixpoint narrow (is_few : bool) (H until most j : Z) (l : list (Z * Z)) : list (Z * Z) :=
  match l with
  | [] => []
  | (a, b) :: rest =>
      (if is_few then if most <=? j then (Z.max a (Z.min until H), b) else (a, b)
       else if j <=? most then (a, Z.min b (until - 1)) else (a, b))
      :: narrow is_few H until most (j + 1) rest
  end.

Definition narrow_part (is_few : bool) (H : Z) (q : request) (until most : Z) (g : part) : part :=
  if same q (kind g) then Part (kind g) (allowed g) (narrow is_few H until most 0 (windows g)) else g.

Section Tree.
  (* The fuel, the memory, the smallest prompt, the horizon, the scale, the cutoff. *)
  Context (fuel : nat) (M s_min H D G : Z).

  (* Duals of a node or one above it, with 0 for the splits between; None if they are no duals. *)
  Definition use_duals (above : list (Z -> line)) (given : option node_duals)
      (state : option (list part * Z)) : option (option (list part * Z)) :=
    match given, state with
    | Some d, Some (parts, bound) =>
        let branch := of_branch d ++ repeat 0 (length above - length (of_branch d)) in
        let lines := lines_of above (of_memory d) (of_covers d) branch in
        if rows_check M s_min above (of_families d) (of_memory d) (of_covers d) branch then
          match all_some (fun g => values_at (Z.to_nat H) 0 (D * output (kind g)) D
                  (row_changes M s_min lines (of_families d) (kind g))) parts with
          | None => None
          | Some costs =>
              Some (squeeze fuel M H D G
                (- total (fun x => price (as_row M s_min x) * right (as_row M s_min x)) lines
                 - total (family_right M) (of_families d)) costs parts bound)
          end
        else None
    | _, _ => Some state
    end.

  Definition own_of (t : domain_tree) : option node_duals :=
    match t with DomainLeaf own => own | DomainSplit own _ _ _ _ _ => own end.

  (* What is known at a node, after its own duals. *)
  Definition visit (t : domain_tree) (above : list (Z -> line)) (inherited : option node_duals)
      (parts : list part) (bound : Z) : option (option (list part * Z)) :=
    let fitted := match fit fuel M H parts with Some p => Some (p, bound) | None => None end in
    match use_duals above inherited fitted with
    | Some state => use_duals above (own_of t) state
    | None => None
    end.

  (* The least bound of the leaves that are not empty, and at most the cutoff. *)
  Fixpoint domains_least (t : domain_tree) (above : list (Z -> line)) (inherited : option node_duals)
      (parts : list part) (bound : Z) : option Z :=
    match visit t above inherited parts bound with
    | None => None
    | Some None => Some G
    | Some (Some (parts', bound')) =>
        match t with
        | DomainLeaf _ => Some (Z.min G bound')
        | DomainSplit own q until most few many =>
            let handed := match own with Some d => Some d | None => inherited end in
            if (length (filter (fun g => same q (kind g)) parts') =? 1)%nat then
              match domains_least few (above ++ [SplitLine [(q, until)] 1 most]) handed
                      (map (narrow_part true H q until most) parts') bound',
                    domains_least many (above ++ [SplitLine [(q, until)] (-1) most]) handed
                      (map (narrow_part false H q until most) parts') bound' with
              | Some x, Some y => Some (Z.min x y)
              | _, _ => None
              end
            else None
        end
    end.
End Tree.

Definition first_parts (H : Z) (types : list (request * Z)) : list part :=
  map (fun x => Part (fst x) (repeat true (Z.to_nat H + 1)) (repeat (0, H) (Z.to_nat (snd x)))) types.

Definition domains_bound (M D H G : Z) (types : list (request * Z)) (t : domain_tree) : option Z :=
  if (1 <=? D) && (0 <=? H) && forallb (fun x => (0 <=? prompt (fst x)) && (1 <=? output (fst x))
       && (1 <=? snd x) && (release (fst x) =? 0)) types
  then domains_least
    (Z.to_nat ((H + 2) * (1 + total (fun x => snd x) types))) M (smallest_prompt types) H D G t [] None
    (first_parts H types) 0
  else None.

(* --- Splits ------------------------------------------------------------------------------ *)

Definition before_time (until : Z) (ts : list Z) : Z := total (fun t => if t <? until then 1 else 0) ts.

Lemma none_before until ts : (forall t, In t ts -> until <= t) -> before_time until ts = 0.
Proof.
  intros Hall. unfold before_time. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
  intros t Ht. specialize (Hall t Ht). destruct (Z.ltb_spec t until); lia.
Qed.

(* Lemma 1, for the requests of a type in order of their starts. *)
Lemma narrow_few H until most ws ts : Forall2 (in_window_of H) ws ts -> StronglySorted Z.le ts ->
  forall j, (forall t, In t ts -> until <= t) \/ j + before_time until ts <= most ->
  Forall2 (in_window_of H) (narrow true H until most j ws) ts.
Proof.
  induction 1 as [|[a b] t ws ts Hw HF IH]; intros Hsorted j Hj; cbn [narrow]; constructor.
  - inversion Hsorted as [|t' ts' Hs Hle]. subst. rewrite Forall_forall in Hle.
    unfold in_window_of in *. cbn [fst snd] in Hw. destruct (Z.leb_spec most j); [|exact Hw]. cbn [fst snd].
    assert (until <= t); [|lia]. destruct Hj as [Hj|Hj]; [apply Hj; left; reflexivity|].
    destruct (Z.ltb_spec t until) as [Ht|]; [|assumption]. exfalso. unfold before_time in Hj. cbn [total] in Hj.
    destruct (Z.ltb_spec t until); [|lia].
    assert (0 <= total (fun t => if t <? until then 1 else 0) ts); [|lia].
    apply total_nonneg. intros s _. destruct (s <? until); lia.
  - inversion Hsorted as [|t' ts' Hs Hle]. subst. rewrite Forall_forall in Hle. apply IH; [exact Hs|].
    destruct Hj as [Hj|Hj]; [left; intros s Hin; apply Hj; right; exact Hin|].
    destruct (Z.ltb_spec t until) as [Ht|Ht].
    + right. unfold before_time in *. cbn [total] in Hj. destruct (Z.ltb_spec t until); lia.
    + left. intros s Hin. specialize (Hle s Hin). lia.
Qed.

Lemma narrow_many H until most ws ts : Forall2 (in_window_of H) ws ts -> StronglySorted Z.le ts ->
  forall j, most < j \/ most + 1 <= j + before_time until ts ->
  Forall2 (in_window_of H) (narrow false H until most j ws) ts.
Proof.
  induction 1 as [|[a b] t ws ts Hw HF IH]; intros Hsorted j Hj; cbn [narrow]; constructor;
    inversion Hsorted as [|t' ts' Hs Hle]; subst; rewrite Forall_forall in Hle.
  - unfold in_window_of in *. cbn [fst snd] in Hw. destruct (Z.leb_spec j most); [|exact Hw]. cbn [fst snd].
    assert (t < until); [|lia]. destruct Hj as [Hj|Hj]; [lia|].
    destruct (Z.ltb_spec t until) as [|Ht]; [assumption|exfalso].
    rewrite none_before in Hj; [lia|]. intros s [<-|Hin]; [exact Ht|specialize (Hle s Hin); lia].
  - apply IH; [exact Hs|]. destruct (Z.lt_ge_cases most j) as [|Hjm]; [left; lia|].
    destruct Hj as [Hj|Hj]; [lia|]. right. unfold before_time in *. cbn [total] in Hj.
    destruct (Z.ltb_spec t until); lia.
Qed.

Lemma counts_in_truth q until truth :
  total (counts [(q, until)]) (truth_of truth) =
  total (fun x => if same q (fst x) then before_time until (snd x) else 0) truth.
Proof.
  rewrite total_truth. apply total_ext. intros x _. unfold before_time, counts. cbn [existsb fst snd of start].
  destruct (same q (fst x)); cbn [andb orb].
  - apply total_ext. intros t _. rewrite orb_false_r. reflexivity.
  - rewrite total_const. lia.
Qed.

Lemma before_time_nonneg until ts : 0 <= before_time until ts.
Proof. apply total_nonneg. intros t _. destruct (t <? until); lia. Qed.

Lemma narrow_parts (is_few : bool) H q until most parts truth :
  Forall2 (right_for H) parts truth ->
  (forall x, In x truth -> same q (fst x) = true ->
    if is_few then before_time until (snd x) <= most else most + 1 <= before_time until (snd x)) ->
  Forall2 (right_for H) (map (narrow_part is_few H q until most) parts) truth.
Proof.
  induction 1 as [|g x parts truth Hgx HR IH]; intros Hcount; cbn [map]; constructor.
  - unfold narrow_part. destruct Hgx as (E & Hw & Hin & Hsorted & Hne).
    destruct (same q (kind g)) eqn:Es; [|split; auto]. rewrite E in Es.
    specialize (Hcount x (or_introl eq_refl) Es). unfold right_for. cbn [kind windows allowed].
    split; [exact E|]. split; [|auto]. destruct is_few.
    + apply narrow_few; [exact Hw|exact Hsorted|right; lia].
    + apply narrow_many; [exact Hw|exact Hsorted|right; lia].
  - apply IH. intros y Hy. apply Hcount. right. exact Hy.
Qed.

Lemma only_one q parts truth H : Forall2 (right_for H) parts truth ->
  length (filter (fun g => same q (kind g)) parts) = 1%nat ->
  forall x (f : request * list Z -> Z), In x truth -> same q (fst x) = true ->
  total (fun y => if same q (fst y) then f y else 0) truth = f x.
Proof.
  intros HR Hone x f Hx Hsame. rewrite <- total_filter.
  assert (Elen : length (filter (fun y => same q (fst y)) truth) = 1%nat).
  { rewrite <- Hone. clear -HR. induction HR as [|g y l l' Hgy HR IH]; [reflexivity|]. cbn [filter].
    destruct Hgy as (E & _). rewrite E. destruct (same q (fst y)); cbn [length]; congruence. }
  assert (Hin : In x (filter (fun y => same q (fst y)) truth)) by (apply filter_In; auto).
  destruct (filter (fun y => same q (fst y)) truth) as [|y [|z rest]]; try discriminate.
  destruct Hin as [->|[]]. cbn [total]. lia.
Qed.

(* --- The tree ---------------------------------------------------------------------------- *)

Lemma all_some_each {A B : Type} (f : A -> option B) l : forall l', all_some f l = Some l' ->
  Forall2 (fun x y => f x = Some y) l l'.
Proof.
  induction l as [|x l IH]; intros l' E; cbn [all_some] in E; [inversion E; constructor|].
  destruct (f x) as [y|] eqn:Ef; [|discriminate]. destruct (all_some f l) as [ys|]; [|discriminate].
  inversion E. constructor; [exact Ef|apply IH; reflexivity].
Qed.

Lemma costs_right M s_min H D lines families parts truth : 0 <= H ->
  (forall x, In x truth -> 1 <= output (fst x)) ->
  Forall2 (right_for H) parts truth -> forall costs,
  all_some (fun g => values_at (Z.to_nat H) 0 (D * output (kind g)) D (row_changes M s_min lines families (kind g)))
    parts = Some costs ->
  Forall2 (cost_right H (fun q t => priced D (all_rows M s_min lines families) (Attempt q t))) costs truth.
Proof.
  intros HH Ho Hright costs Ecosts. apply all_some_each in Ecosts. revert costs Ecosts.
  induction Hright as [|g x parts truth Hgx HR IH]; intros costs Ecosts;
    inversion Ecosts as [|g' c parts' costs' Ec Ecs E1 E2]; subst; constructor.
  - destruct Hgx as (E & _). destruct (values_at_spec _ _ _ _ _ _ Ec) as (_ & Hlen & Hnth & Hlast).
    pose proof (Ho x (or_introl eq_refl)) as Hox. split; [lia|]. intros t Ht. rewrite <- E in *.
    rewrite row_changes_spec by lia. destruct (Z.le_gt_cases t H) as [Hle|Hgt].
    + unfold clip. rewrite Hnth by lia.
      replace (0 + Z.of_nat (Z.to_nat (Z.min t H))) with t by lia. lia.
    + replace (clip H t) with (Z.to_nat H) by (unfold clip; lia). apply Hlast. lia.
  - apply IH; [intros y Hy; apply Ho; right; exact Hy|exact Ecs].
Qed.

Section Schedule.
  (* A schedule below the cutoff. *)
  Context (fuel : nat) (M H D G : Z) (types : list (request * Z)) (truth : list (request * list Z)).
  Let l := truth_of truth.
  Let s_min := smallest_prompt types.
  Context (HD : 1 <= D) (HH : 0 <= H) (requests : list request).
  Context (Hl : schedule M requests l) (Hperm : Permutation requests (expand types)).
  Context (Htypes : forall x, In x types -> 0 <= prompt (fst x) /\ 1 <= output (fst x)).
  Context (Hkinds : forall x, In x truth -> exists n, In (fst x, n) types).
  Context (HG : completions l < G).

  Definition splits_hold (above : list (Z -> line)) : Prop :=
    forall f p, In f above -> holds l (as_row M s_min (f p)).

  Lemma prompts x : In x truth -> 0 <= prompt (fst x) /\ 1 <= output (fst x).
  Proof. intros Hx. destruct (Hkinds x Hx) as (n & Hn). apply (Htypes _ Hn). Qed.

  Lemma fits_l r : memory (truth_of truth) r <= M.
  Proof. destruct Hl as (_ & _ & Hfits). apply Hfits. Qed.

  Lemma use_duals_right above given parts bound state :
    splits_hold above -> all_right H truth parts -> bound <= completions l ->
    use_duals fuel M s_min H D G above given (Some (parts, bound)) = Some state ->
    exists parts' bound', state = Some (parts', bound') /\ all_right H truth parts' /\ bound' <= completions l.
  Proof.
    intros Habove Hright Hbound E. unfold use_duals in E. destruct given as [d|].
    2:{ inversion E. exists parts, bound. auto. }
    set (branch := of_branch d ++ _) in E. set (lines := lines_of above (of_memory d) (of_covers d) branch) in E.
    destruct (rows_check _ _ _ _ _ _ _) eqn:Hok; [|discriminate].
    destruct (all_some _ parts) as [costs|] eqn:Ecosts; [|discriminate]. inversion E as [E']. clear E E'.
    pose proof (rows_hold M types requests l above (of_families d) (of_memory d) (of_covers d) branch Hl Hperm
      (fun x Hx => proj1 (Htypes x Hx)) Habove Hok) as Hall. fold s_min lines in Hall.
    set (rows := all_rows M s_min lines (of_families d)) in *.
    set (P := fun q t => priced D rows (Attempt q t)).
    pose proof (weak_duality D rows l Hall) as Hweak. unfold rows in Hweak at 2.
    rewrite all_rows_right in Hweak.
    assert (Ecost : total (priced D rows) l = charged truth P).
    { unfold l. rewrite total_truth. reflexivity. }
    rewrite Ecost in Hweak.
    assert (Hcosts : Forall2 (cost_right H P) costs truth).
    { apply (costs_right M s_min H D lines (of_families d) parts truth HH); [|exact Hright|exact Ecosts].
      intros x Hx. apply prompts, Hx. }
    destruct (squeeze_right M H truth prompts fits_l HH P D G
      (- total (fun x => price (as_row M s_min x) * right (as_row M s_min x)) lines
       - total (family_right M) (of_families d)) costs (completions l) HD HG ltac:(lia) Hcosts
      fuel parts bound Hright Hbound) as (parts' & bound' & Es & H1 & H2).
    exists parts', bound'. auto.
  Qed.

  Lemma visit_right t above inherited parts bound state :
    splits_hold above -> all_right H truth parts -> bound <= completions l ->
    visit fuel M s_min H D G t above inherited parts bound = Some state ->
    exists parts' bound', state = Some (parts', bound') /\ all_right H truth parts' /\ bound' <= completions l.
  Proof.
    intros Habove Hright Hbound E. unfold visit in E.
    destruct (fit_right M H truth prompts fits_l HH fuel parts Hright) as (parts1 & Ef & Hright1).
    rewrite Ef in E. destruct (use_duals _ _ _ _ _ _ _ inherited _) as [state1|] eqn:E1; [|discriminate].
    destruct (use_duals_right above inherited parts1 bound state1 Habove Hright1 Hbound E1)
      as (parts2 & bound2 & -> & Hright2 & Hbound2).
    apply (use_duals_right above (own_of t) parts2 bound2 state Habove Hright2 Hbound2 E).
  Qed.

  Lemma domains_least_le t : forall above inherited parts bound result,
    splits_hold above -> all_right H truth parts -> bound <= completions l ->
    domains_least fuel M s_min H D G t above inherited parts bound = Some result ->
    result <= completions l.
  Proof.
    induction t as [own|own q until most few IHf many IHm];
      intros above inherited parts bound result Habove Hright Hbound E; cbn [domains_least] in E;
      destruct (visit _ _ _ _ _ _ _ above inherited parts bound) as [state|] eqn:Ev; try discriminate;
      destruct (visit_right _ above inherited parts bound state Habove Hright Hbound Ev)
        as (parts' & bound' & -> & Hright' & Hbound').
    - inversion E. lia.
    - destruct (Nat.eqb_spec (length (filter (fun g => same q (kind g)) parts')) 1) as [Hone|]; [|discriminate].
      set (handed := match own with Some d => Some d | None => inherited end) in E.
      destruct (domains_least _ _ _ _ _ _ few _ _ _ _) as [x|] eqn:Ex; [|discriminate].
      destruct (domains_least _ _ _ _ _ _ many _ _ _ _) as [y|] eqn:Ey; [|discriminate].
      inversion E. subst result. clear E.
      assert (Hcount : forall z, In z truth -> same q (fst z) = true ->
          total (counts [(q, until)]) l = before_time until (snd z)).
      { intros z Hz Hs. unfold l. rewrite counts_in_truth.
        apply (only_one q parts' truth H Hright' Hone z (fun y => before_time until (snd y)) Hz Hs). }
      destruct (Z.le_gt_cases (total (counts [(q, until)]) l) most) as [Hfew|Hmany].
      + assert (x <= completions l); [|lia]. apply (IHf _ _ _ _ x) in Ex; [exact Ex| | |exact Hbound'].
        * intros f p Hf. apply in_app_or in Hf as [Hf|[<-|[]]]; [apply Habove, Hf|]. exact Hfew.
        * apply narrow_parts; [exact Hright'|]. intros z Hz Hs. rewrite <- (Hcount z Hz Hs). exact Hfew.
      + assert (y <= completions l); [|lia]. apply (IHm _ _ _ _ y) in Ey; [exact Ey| | |exact Hbound'].
        * intros f p Hf. apply in_app_or in Hf as [Hf|[<-|[]]]; [apply Habove, Hf|].
          unfold holds. cbn [as_row Z.eqb Pos.eqb many_row coefficient right].
          rewrite (total_ext _ (fun a => -1 * counts [(q, until)] a)) by (intros; lia).
          rewrite total_scale. lia.
        * apply narrow_parts; [exact Hright'|]. intros z Hz Hs. rewrite <- (Hcount z Hz Hs). lia.
  Qed.
End Schedule.

(* --- The rule ---------------------------------------------------------------------------- *)

Lemma domains_least_cutoff fuel M s_min H D G t : forall above inherited parts bound result,
  domains_least fuel M s_min H D G t above inherited parts bound = Some result -> result <= G.
Proof.
  induction t as [own|own q until most few IHf many IHm]; intros above inherited parts bound result E;
    cbn [domains_least] in E; destruct (visit _ _ _ _ _ _ _ _ _ _ _) as [[[p b]|]|]; try discriminate;
    try (inversion E; lia).
  destruct (_ =? 1)%nat; [|discriminate].
  destruct (domains_least _ _ _ _ _ _ few _ _ _ _) as [x|] eqn:Ex; [|discriminate].
  destruct (domains_least _ _ _ _ _ _ many _ _ _ _) as [y|]; [|discriminate].
  inversion E. specialize (IHf _ _ _ _ _ Ex). lia.
Qed.

Lemma descending_sorted l : descending (fun a => - start a) l -> StronglySorted Z.le (map start l).
Proof.
  induction l as [|a l IH]; cbn [descending map]; intros Hd; [constructor|]. destruct Hd as [Ha Hd].
  constructor; [apply IH, Hd|]. apply Forall_forall. intros t Ht. apply in_map_iff in Ht as (b & <- & Hb).
  specialize (Ha b Hb). lia.
Qed.

(* The starts of a schedule, by type and in order. *)
Lemma truth_exists types : forall l, map of l = expand types ->
  exists truth, Permutation l (truth_of truth) /\
    Forall2 (fun x y => fst x = fst y /\ length (snd y) = Z.to_nat (snd x) /\
      StronglySorted Z.le (snd y) /\ forall t, In t (snd y) -> In (Attempt (fst y) t) l) types truth.
Proof.
  induction types as [|[q n] types IH]; intros l E.
  - destruct l; [|discriminate]. exists []. split; [reflexivity|constructor].
  - change (expand ((q, n) :: types)) with (repeat q (Z.to_nat n) ++ expand types) in E.
    apply map_eq_app in E as (l1 & l2 & -> & E1 & E2).
    destruct (IH l2 E2) as (truth & Hp & HF).
    destruct (sorted_exists (fun a => - start a) l1) as (l1' & Hp1 & Hd).
    assert (Hq : forall a, In a l1' -> of a = q).
    { intros a Ha. apply (Permutation_in _ (Permutation_sym Hp1)) in Ha. apply (in_map of) in Ha.
      rewrite E1 in Ha. apply repeat_spec in Ha. exact Ha. }
    assert (Emap : map (Attempt q) (map start l1') = l1').
    { clear -Hq. induction l1' as [|[q' t] l1' IH]; [reflexivity|]. cbn [map start].
      rewrite IH by (intros a Ha; apply Hq; right; exact Ha).
      specialize (Hq _ (or_introl eq_refl)). cbn [of] in Hq. subst. reflexivity. }
    exists ((q, map start l1') :: truth). split.
    + change (truth_of ((q, map start l1') :: truth)) with (map (Attempt q) (map start l1') ++ truth_of truth).
      rewrite Emap. apply Permutation_app; assumption.
    + constructor.
      * cbn [fst snd]. split; [reflexivity|]. split.
        { rewrite map_length, <- (Permutation_length Hp1), <- (map_length of), E1. apply repeat_length. }
        split; [apply descending_sorted, Hd|]. intros t Ht. apply in_or_app. left.
        apply (Permutation_in _ (Permutation_sym Hp1)). rewrite <- Emap. apply in_map, Ht.
      * clear -HF. induction HF as [|x y types truth (H1 & H2 & H3 & H4) HF IH]; constructor; [|exact IH].
        repeat split; auto. intros t Ht. apply in_or_app. right. apply H4, Ht.
Qed.

Lemma nth_true n m : (n < m)%nat -> nth n (repeat true m) false = true.
Proof.
  revert m. induction n as [|n IH]; intros [|m] Hn; cbn [repeat nth]; try lia.
  apply IH. lia.
Qed.

(* The rule "propagation": whatever the duals, splits and leaves are, what is returned is at most the
   cost of every schedule of these requests. *)
Theorem domains_sound M D H G types t result requests l :
  domains_bound M D H G types t = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold domains_bound. intros E Hperm Hl.
  destruct ((1 <=? D) && (0 <=? H) && forallb _ types) eqn:Hok; [|discriminate].
  apply andb_true_iff in Hok as [Hok Htypes]. apply andb_true_iff in Hok as [HD HH].
  rewrite forallb_forall in Htypes.
  rewrite (cost_at_once M requests l Hl).
  2:{ apply (at_once_expand types); [|exact Hperm]. intros x Hx. specialize (Htypes x Hx). lia. }
  pose proof (domains_least_cutoff _ _ _ _ _ _ _ _ _ _ _ _ E) as Hcutoff.
  destruct (Z.le_gt_cases G (completions l)) as [Hge|Hlt]; [lia|].
  destruct Hl as (Hof & Hvalid & Hfits).
  rewrite <- Hof in Hperm. apply Permutation_sym, Permutation_map_inv in Hperm as (l' & El' & Hp).
  destruct (truth_exists types l' (eq_sym El')) as (truth & Hp' & HF).
  assert (Hpt : Permutation l (truth_of truth)) by (rewrite Hp; exact Hp').
  assert (Ecost : completions l = completions (truth_of truth)) by (apply total_permutation, Hpt).
  rewrite Ecost in *.
  assert (Hvalid' : forall a, In a l' -> valid a).
  { intros a Ha. rewrite Forall_forall in Hvalid. apply Hvalid, (Permutation_in _ (Permutation_sym Hp)), Ha. }
  assert (Hschedule : schedule M (map of (truth_of truth)) (truth_of truth)).
  { split; [reflexivity|]. split.
    - apply Forall_forall. intros a Ha. apply Hvalid', (Permutation_in _ (Permutation_sym Hp')), Ha.
    - intros r. unfold memory. rewrite <- (total_permutation _ _ _ Hpt). apply Hfits. }
  assert (Hperm' : Permutation (map of (truth_of truth)) (expand types)).
  { rewrite El'. apply Permutation_map, Permutation_sym, Hp'. }
  apply (domains_least_le _ M H D G types truth ltac:(lia) ltac:(lia) _ Hschedule Hperm') in E; auto.
  - intros x Hx. specialize (Htypes x Hx). lia.
  - intros x Hx. clear -HF Hx. induction HF as [|[q n] y types truth (E & _) HF IH]; [destruct Hx|].
    destruct Hx as [<-|Hx]; [exists n; left; cbn [fst] in E; rewrite <- E; reflexivity|].
    destruct (IH Hx) as (m & Hm). exists m. right. exact Hm.
  - intros f p [].
  - unfold all_right, first_parts. clear -HF Hvalid' Htypes HH.
    induction HF as [|[q n] y types truth (E & Hlen & Hsorted & Hin) HF IH]; cbn [map]; constructor.
    + cbn [fst snd] in *. unfold right_for. cbn [kind windows allowed]. split; [exact E|].
      assert (Ht : forall t, In t (snd y) -> 0 <= t).
      { intros t Ht. destruct (Hvalid' _ (Hin t Ht)) as [_ Hv]. cbn [of start] in Hv. lia. }
      split; [|split; [|split; [exact Hsorted|]]].
      * rewrite <- Hlen. clear -Ht HH. induction (snd y) as [|t ts IH]; cbn [length repeat]; constructor.
        -- unfold in_window_of. cbn [fst snd]. specialize (Ht t (or_introl eq_refl)). lia.
        -- apply IH. intros s Hs. apply Ht. right. exact Hs.
      * intros t Hin'. split; [apply Ht, Hin'|]. apply nth_true. unfold clip. lia.
      * intros E0. rewrite E0 in Hlen. cbn [length] in Hlen. specialize (Htypes (q, n) (or_introl eq_refl)).
        cbn [fst snd] in Htypes. lia.
    + apply IH. intros x Hx. apply Htypes. right. exact Hx.
  - apply (cost_nonneg M _ _ Hschedule).
Qed.
