(* Requests by their types: how many there are of each. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import Model Sums Staircase Prices.
Import ListNotations.
Open Scope Z_scope.

(* How many requests of a list are of the type of q; and that for each of some types. *)
Definition count (q : request) (requests : list request) : Z :=
  total (fun q' => if same q q' then 1 else 0) requests.
Definition counts_of (kinds requests : list request) : list Z :=
  map (fun q => count q requests) kinds.

(* No type stands twice in a list. *)
Fixpoint distinct (kinds : list request) : bool :=
  match kinds with
  | [] => true
  | q :: rest => negb (existsb (same q) rest) && distinct rest
  end.

(* A list of types with one more, n times; the list stays in the order of prompt, output, release. *)
Definition precedes (q q' : request) : bool :=
  (prompt q <? prompt q')
  || ((prompt q =? prompt q') && ((output q <? output q')
       || ((output q =? output q') && (release q <? release q')))).
Fixpoint add_type (q : request) (n : Z) (types : list (request * Z)) : list (request * Z) :=
  match types with
  | [] => [(q, n)]
  | (q', n') :: rest =>
      if precedes q q' then (q, n) :: types
      else if same q q' && (release q =? release q') then (q', n + n') :: rest
      else (q', n') :: add_type q n rest
  end.

(* The types of groups of like requests; and their shapes, as if all were released at 0. *)
Definition types_of (groups : list (request * Z)) : list (request * Z) :=
  fold_right (fun x types => add_type (fst x) (snd x) types) [] groups.
Definition at_zero (q : request) : request := Request (prompt q) (output q).
Definition shapes_of (types : list (request * Z)) : list (request * Z) :=
  types_of (map (fun x => (at_zero (fst x), snd x)) types).

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma same_refl q : same q q = true.
Proof. unfold same. rewrite !Z.eqb_refl. reflexivity. Qed.

Lemma same_eq q q' : release q = 0 -> release q' = 0 -> same q q' = true <-> q = q'.
Proof.
  intros H H'. split; [|intros ->; apply same_refl]. unfold same. intros E.
  destruct q as [s o a], q' as [s' o' a']. cbn [prompt output release] in *. f_equal; lia.
Qed.

Lemma repeat_add {A : Type} (x : A) n m : 0 <= n -> 0 <= m ->
  repeat x (Z.to_nat (n + m)) = repeat x (Z.to_nat n) ++ repeat x (Z.to_nat m).
Proof. intros Hn Hm. rewrite Z2Nat.inj_add by assumption. apply repeat_app. Qed.

Lemma add_type_spec q n types : 0 <= n -> (forall x, In x types -> 0 <= snd x) ->
  Permutation (repeat q (Z.to_nat n) ++ expand types) (expand (add_type q n types)) /\
  (forall x, In x (add_type q n types) -> 0 <= snd x).
Proof.
  intros Hn. induction types as [|[q' n'] rest IH]; intros Htypes; cbn [add_type].
  - split; [reflexivity|]. intros x [<-|[]]. exact Hn.
  - pose proof (Htypes (q', n') (or_introl eq_refl)) as Hn'. cbn [fst snd] in *.
    destruct (precedes q q'); [|destruct (same q q' && (release q =? release q')) eqn:E].
    + split; [reflexivity|]. intros x [<-|Hx]; [auto|apply Htypes, Hx].
    + assert (q = q') as -> by (unfold same in E; destruct q as [s o a], q' as [s' o' a']; cbn [prompt output release] in E; f_equal; lia).
      split.
      * cbn [expand flat_map fst snd]. rewrite repeat_add, <- app_assoc by assumption. reflexivity.
      * intros x [<-|Hx]; [cbn; lia|apply Htypes; simpl; auto].
    + destruct IH as [IH1 IH2]; [intros x Hx; apply Htypes; simpl; auto|]. split.
      * cbn [expand flat_map fst snd]. fold (expand (add_type q n rest)). rewrite <- IH1.
        rewrite !app_assoc. apply Permutation_app_tail, Permutation_app_comm.
      * intros x [<-|Hx]; [auto|apply IH2, Hx].
Qed.

(* Sorted into types, the requests are the same. *)
Lemma types_of_spec groups :
  (forall x, In x groups -> 0 <= snd x) ->
  Permutation (expand groups) (expand (types_of groups)) /\
  (forall x, In x (types_of groups) -> 0 <= snd x).
Proof.
  induction groups as [|[q n] groups IH]; intros H; [split; [reflexivity|intros x []]|].
  destruct IH as [IH1 IH2]; [intros x Hx; apply H; simpl; auto|].
  pose proof (H (q, n) (or_introl eq_refl)) as Hn. cbn [types_of fold_right fst snd] in *.
  destruct (add_type_spec q n (types_of groups) Hn IH2) as [H1 H2]. split; [|exact H2].
  rewrite <- H1. cbn [expand flat_map fst snd]. apply Permutation_app_head, IH1.
Qed.

Lemma expand_map (f : request -> request) types :
  expand (map (fun x => (f (fst x), snd x)) types) = map f (expand types).
Proof.
  induction types as [|[q n] types IH]; [reflexivity|]. cbn [map expand flat_map fst snd].
  rewrite map_app. fold (expand types). rewrite <- IH. f_equal. clear.
  induction (Z.to_nat n); cbn [repeat map]; congruence.
Qed.

Lemma shapes_of_spec types : (forall x, In x types -> 0 <= snd x) ->
  Permutation (map at_zero (expand types)) (expand (shapes_of types)) /\
  (forall x, In x (shapes_of types) -> 0 <= snd x).
Proof.
  intros H. unfold shapes_of. rewrite <- expand_map. apply types_of_spec.
  intros x Hx. apply in_map_iff in Hx as (y & <- & Hy). apply (H y Hy).
Qed.

(* A type of groups is one of them. *)
Lemma in_types_of groups x : In x (types_of groups) -> In (fst x) (map fst groups).
Proof.
  revert x. induction groups as [|[q n] groups IH]; intros x Hx; [destruct Hx|].
  cbn [types_of fold_right fst snd map] in *.
  assert (H : forall types y, In y (add_type q n types) -> fst y = q \/ In (fst y) (map fst types)).
  { clear. induction types as [|[q' n'] types IH]; intros y Hy; cbn [add_type] in Hy.
    - destruct Hy as [<-|[]]. left. reflexivity.
    - destruct (precedes q q'); [|destruct (_ && _)].
      + destruct Hy as [<-|Hy]; [left; reflexivity|]. right. apply in_map, Hy.
      + right. destruct Hy as [<-|Hy]; [left; reflexivity|right; apply in_map, Hy].
      + destruct Hy as [<-|Hy]; [right; left; reflexivity|].
        destruct (IH y Hy) as [IH'|IH']; [left; exact IH'|right; right; exact IH']. }
  destruct (H _ _ Hx) as [->|Hy]; [left; reflexivity|right].
  apply in_map_iff in Hy as (y & Ey & Hy). rewrite <- Ey. apply IH, Hy.
Qed.

Lemma request_dec (q q' : request) : {q = q'} + {q <> q'}.
Proof. decide equality; apply Z.eq_dec. Qed.

Lemma count_repeat q q' n :
  count_occ request_dec (repeat q' n) q = if request_dec q' q then n else O.
Proof.
  induction n as [|n IH]; simpl; [destruct (request_dec q' q); reflexivity|].
  rewrite IH. destruct (request_dec q' q); reflexivity.
Qed.

Lemma count_occ_count q requests : release q = 0 -> at_once requests ->
  Z.of_nat (count_occ request_dec requests q) = count q requests.
Proof.
  intros Hq. unfold count. induction requests as [|q' rest IH]; intros H; [reflexivity|].
  cbn [count_occ total].
  specialize (IH (fun x Hx => H x (or_intror Hx))).
  pose proof (same_eq q q' Hq (H q' (or_introl eq_refl))) as E.
  destruct (request_dec q' q) as [->|Hne].
  - rewrite same_refl. lia.
  - destruct (same q q'); [|lia]. exfalso. apply Hne. symmetry. apply E. reflexivity.
Qed.

Lemma count_at_zero q requests : count q (map at_zero requests) = count q requests.
Proof. unfold count. rewrite total_map. reflexivity. Qed.

Lemma count_nonneg q requests : 0 <= count q requests.
Proof. apply total_nonneg. intros x _. destruct (same q x); lia. Qed.

(* Requests of some types are, in another order, as many of each type as are counted. *)
Lemma by_types kinds requests :
  distinct kinds = true -> at_once kinds -> (forall q, In q requests -> In q kinds) ->
  Permutation requests (expand (combine kinds (counts_of kinds requests))).
Proof.
  intros Hdist Hzero Hin. apply (Permutation_count_occ request_dec). intros q.
  assert (Hreq : at_once requests) by (intros x Hx; apply Hzero, Hin, Hx).
  assert (Hsome : forall ks, (forall x, In x ks -> In x kinds) -> distinct ks = true ->
      count_occ request_dec (expand (combine ks (counts_of ks requests))) q =
      if in_dec request_dec q ks then count_occ request_dec requests q else O).
  { induction ks as [|k ks IH]; intros Hks Hd; [reflexivity|].
    cbn [counts_of map combine expand flat_map fst snd]. rewrite count_occ_app, count_repeat.
    cbn [distinct] in Hd. apply andb_true_iff in Hd as [Hk Hd].
    fold (counts_of ks requests). fold (expand (combine ks (counts_of ks requests))).
    rewrite IH by (auto; intros x Hx; apply Hks; simpl; auto).
    assert (Hrk : release k = 0) by (apply Hzero, Hks; simpl; auto).
    destruct (request_dec k q) as [->|Hne].
    - destruct (in_dec request_dec q ks) as [Hq|_].
      + exfalso. apply negb_true_iff in Hk.
        assert (existsb (same q) ks = true); [|congruence].
        apply existsb_exists. exists q. split; [exact Hq|apply same_refl].
      + destruct (in_dec request_dec q (q :: ks)) as [_|Hn]; [|exfalso; apply Hn; simpl; auto].
        rewrite Nat.add_0_r. rewrite <- (count_occ_count q requests Hrk Hreq). apply Nat2Z.id.
    - destruct (in_dec request_dec q ks) as [Hq|Hq], (in_dec request_dec q (k :: ks)) as [Hq'|Hq'];
        simpl in *; try reflexivity; exfalso; [auto|]. destruct Hq'; auto. }
  rewrite Hsome by auto. destruct (in_dec request_dec q kinds) as [_|Hn]; [reflexivity|].
  apply count_occ_not_In. intros Hq. apply Hn, Hin, Hq.
Qed.

(* A list with a known order of types has the counts that it was made of. *)
Lemma counts_permutation q l l' : Permutation l l' -> count q l = count q l'.
Proof. apply total_permutation. Qed.

Lemma count_expand kinds types :
  distinct (map fst types) = true -> at_once (map fst types) ->
  (forall x, In x types -> 0 <= snd x) ->
  kinds = map fst types -> counts_of kinds (expand types) = map snd types.
Proof.
  intros Hdist Hzero Hcounts ->.
  assert (H : forall ts, (forall x, In x ts -> In x types) -> forall k, In k (map fst types) ->
      existsb (same k) (map fst ts) = false -> count k (expand ts) = 0).
  { intros ts Hts k Hk Hnone. unfold count. rewrite (total_ext _ (fun _ => 0)).
    { rewrite total_const. lia. }
    intros q Hq. apply in_expand in Hq as (n & Hq). destruct (same k q) eqn:E; [|reflexivity].
    exfalso. assert (existsb (same k) (map fst ts) = true); [|congruence].
    apply existsb_exists. exists q. split; [|exact E]. apply in_map_iff. exists (q, n). auto. }
  assert (Hself : forall q n, 0 <= n -> count q (repeat q (Z.to_nat n)) = n).
  { intros q n Hn. unfold count. rewrite (total_ext _ (fun _ => 1)).
    - rewrite total_const, repeat_length. lia.
    - intros x Hx. apply repeat_spec in Hx as ->. rewrite same_refl. reflexivity. }
  assert (Hother : forall q q' n, same q q' = false -> count q (repeat q' n) = 0).
  { intros q q' n E. unfold count. rewrite (total_ext _ (fun _ => 0)).
    - rewrite total_const. lia.
    - intros x Hx. apply repeat_spec in Hx as ->. rewrite E. reflexivity. }
  unfold counts_of. rewrite map_map.
  induction types as [|[q n] types IH]; [reflexivity|].
  cbn [map fst snd distinct] in *. apply andb_true_iff in Hdist as [Hq Hdist].
  apply negb_true_iff in Hq. f_equal.
  - cbn [expand flat_map fst snd]. unfold count. rewrite total_app. fold (count q (repeat q (Z.to_nat n))).
    fold (expand types). fold (count q (expand types)).
    rewrite Hself by (apply (Hcounts (q, n)); simpl; auto).
    rewrite (H types); [lia|simpl; auto|simpl; auto|exact Hq].
  - rewrite <- IH.
    + apply map_ext_in. intros [q' n'] Hx. cbn [fst expand flat_map snd]. unfold count.
      rewrite total_app. fold (count q' (repeat q (Z.to_nat n))). rewrite Hother; [reflexivity|].
      destruct (same q' q) eqn:E; [|reflexivity].
      assert (existsb (same q) (map fst types) = true); [|congruence].
      apply existsb_exists. exists q'. split; [apply in_map_iff; exists (q', n'); auto|].
      unfold same in *. lia.
    + exact Hdist.
    + intros x Hx. apply Hzero. simpl. auto.
    + intros x Hx. apply Hcounts. simpl. auto.
    + intros ts Hts k Hk. apply H; [|simpl; auto]. intros x Hx. simpl. auto.
Qed.

(* The same for requests with releases. *)
Lemma by_shapes kinds requests :
  distinct kinds = true -> at_once kinds -> (forall q, In q requests -> In (at_zero q) kinds) ->
  Permutation (map at_zero requests) (expand (combine kinds (counts_of kinds requests))).
Proof.
  intros Hdist Hzero Hin.
  replace (counts_of kinds requests) with (counts_of kinds (map at_zero requests)).
  - apply by_types; [exact Hdist|exact Hzero|]. intros q Hq. apply in_map_iff in Hq as (q' & <- & Hq'). auto.
  - apply map_ext. intros q. apply count_at_zero.
Qed.

(* Their numbers add up to that of all. *)
Lemma counts_total kinds requests :
  distinct kinds = true -> at_once kinds -> (forall q, In q requests -> In (at_zero q) kinds) ->
  total (fun n => n) (counts_of kinds requests) = Z.of_nat (length requests).
Proof.
  intros Hdist Hzero Hin.
  assert (H : total (fun _ : request => 1) (map at_zero requests) = Z.of_nat (length requests)).
  { rewrite total_const, map_length. lia. }
  rewrite <- H, (total_permutation _ _ _ (by_shapes kinds requests Hdist Hzero Hin)), total_expand.
  - unfold counts_of. clear. induction kinds as [|k kinds IH]; [reflexivity|].
    cbn [map combine total snd]. rewrite IH. lia.
  - intros [q n] Hx. apply in_combine_r in Hx. apply in_map_iff in Hx as (k & <- & _). apply count_nonneg.
Qed.

(* Requests have the shapes of their types. *)
Lemma shapes_in types : (forall x, In x types -> 0 <= snd x) ->
  at_once (map fst (shapes_of types)) /\
  (forall q, In q (map fst (shapes_of types)) -> exists y, In y types /\ q = at_zero (fst y)) /\
  (forall q, In q (expand types) -> In (at_zero q) (map fst (shapes_of types))).
Proof.
  intros Hcounts.
  assert (Hshape : forall q, In q (map fst (shapes_of types)) -> exists y, In y types /\ q = at_zero (fst y)).
  { intros q Hq. apply in_map_iff in Hq as (y & <- & Hy). apply in_types_of in Hy.
    rewrite map_map in Hy. apply in_map_iff in Hy as (z & Ez & Hz). exists z. auto. }
  split; [|split; [exact Hshape|]].
  - intros q Hq. destruct (Hshape q Hq) as (y & _ & ->). reflexivity.
  - intros q Hq. apply (in_map at_zero) in Hq.
    apply (Permutation_in _ (proj1 (shapes_of_spec types Hcounts))) in Hq. apply in_expand in Hq as (n & Hq).
    apply in_map_iff. exists (at_zero q, n). auto.
Qed.
