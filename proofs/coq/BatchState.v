(* The rule "batch-state" of FORMAT.md: theorems 4 and 6 of batch_state.md, for any duals.

   Of a busy schedule, and of what remains of it without some runs, see the batch before the completions
   of each time.  Costs-to-go are no more than what the completions from that time on cost, and the search meets
   every batch, with who has yet to complete, at no more than what completions have cost before. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import Model Sums Staircase Completions Area Prices Paths PathCheck Types Keys Exhaustive
  Batches.
Import ListNotations.
Open Scope Z_scope.

(* --- The rule ---------------------------------------------------------------------------- *)

(* Types as the search knows them; u is the place of the first. *)
Fixpoint kinds_of (W : Z) (w : request -> Z) (u : Z) (types : list (request * Z)) : list kind :=
  match types with
  | [] => []
  | (q, n) :: rest =>
      Kind (output q * W + prompt q) (prompt q + output q) (w q) u (n + 1)
      :: kinds_of W w (u * (n + 1)) rest
  end.

(* The batches of all times together are some 8,000,000 at most: each is looked at once for each type. *)
Definition max_batch_steps : Z := 20000000000.
Definition max_path_cost : Z := 2 ^ 62.

(* The largest dual, and the one farthest from 0. *)
Fixpoint most_of (duals : list Z) : Z :=
  match duals with [] => 0 | [x] => x | x :: rest => Z.max x (most_of rest) end.
Definition farthest (duals : list Z) : Z := latest (map Z.abs duals).

(* The cost of the cheapest path on which no completion costs more than z, and the tables. *)
Definition costs_to_go (M D z : Z) (kinds : list kind) : option (Z * list batch_table) :=
  let W := M + 1 in
  let last := (most_of (map dual kinds) + z) / D in
  let steps := max_batch_steps / (100 + Z.of_nat (length kinds)) in
  if ((last + 1) * M * (D * (last + 1) + farthest (map dual kinds)) <=? max_path_cost)
    && (for_new * last <=? steps)
  then
    let (all, S) := batch_tables D z W kinds (Z.to_nat last)
      (KeyMap.add [] (0, M) (KeyMap.empty _), steps) [] in
    let S' := back W S in
    match KeyMap.find [] (fst S') with
    | Some x => if 0 <? snd S' then Some (fst x, all) else None
    | None => None
    end
  else None.

(* What the duals give, or `low` if a search with no more nodes than `limit` proves that. *)
Definition batch_bound (M D : Z) (duals : list (request * Z)) (types : list (request * Z)) (low limit : Z) :
    option Z :=
  let w := worth_of duals in
  let kinds := kinds_of (M + 1) w 1 types in
  let value := total (fun x => snd x * w (fst x)) types in
  let z := if limit =? 0 then 0 else Z.max 0 (low / 256 * D) in
  if (1 <=? M) && (1 <=? D) && (1 <=? total (fun x => snd x) types)
    && forallb (fun x => (0 <=? prompt (fst x)) && (prompt (fst x) <=? M) && (1 <=? output (fst x)) && (release (fst x) =? 0)
         && (0 <=? snd x)) types
    && distinct (map fst types)
  then
    match costs_to_go M D z kinds with
    | None => None
    | Some (V, all) =>
        let bound := Z.max (total (fun x => snd x * output (fst x)) types) (ceil_div (value + V) D) in
        if (low <=? bound) || (limit =? 0) then Some bound
        else
          let X := D * (low - 1) - value in
          let z' := Z.max z (X - V) in
          match (if X - V <=? z then Some (V, all) else costs_to_go M D z' kinds) with
          | None => None
          | Some (_, all) =>
              let everyone := encode kinds (map (fun x => Z.to_nat (snd x)) types) in
              if none_found (M + 1) D z' X limit kinds 1 all
                (KeyMap.add [] (0, [(everyone, 0)]) (KeyMap.empty _)) 1
              then Some low else None
          end
    end
  else None.

(* --- Proofs ------------------------------------------------------------------------------ *)

Definition sorted (codes : list Z) (h : list Z) : list Z := fold_right insert_code h codes.

Lemma sorted_permutation codes codes' h : Permutation codes codes' -> sorted codes h = sorted codes' h.
Proof.
  unfold sorted. induction 1 as [|x l l' _ IH|x y l|l l' l'' _ IH1 _ IH2]; cbn [fold_right].
  - reflexivity.
  - rewrite IH. reflexivity.
  - apply insert_swap.
  - congruence.
Qed.

Lemma filter_parts {A : Type} (f g h : A -> bool) l :
  (forall x, In x l -> f x = g x || h x) -> (forall x, In x l -> g x && h x = false) ->
  Permutation (filter f l) (filter g l ++ filter h l).
Proof.
  induction l as [|x l IH]; intros H1 H2; [constructor|]. cbn [filter].
  specialize (IH (fun y Hy => H1 y (or_intror Hy)) (fun y Hy => H2 y (or_intror Hy))).
  rewrite (H1 x) by (left; reflexivity). specialize (H2 x (or_introl eq_refl)).
  destruct (g x), (h x); cbn [orb andb] in *; try discriminate.
  - cbn [app]. apply perm_skip, IH.
  - rewrite IH. apply Permutation_middle.
  - exact IH.
Qed.

Section Schedule.
  Context (M D z : Z) (w : request -> Z) (types : list (request * Z)) (l : list attempt).
  Let W := M + 1.
  Let qs := map fst types.
  Let kinds := kinds_of W w 1 types.
  Context (Hdist : distinct qs = true) (Hzero : at_once qs)
    (Hqs : forall q, In q qs -> 0 <= prompt q < W /\ 1 <= output q).
  Context (Hvalid : forall a, In a l -> valid a) (Hfits : fits M l).
  Context (Hin : forall a, In a l -> In (of a) qs).

  Definition coded (t : Z) (a : attempt) : Z := (t - start a) * W + prompt (of a).
  Definition batch_held (a : attempt) (t : Z) : bool := (start a <? t) && (t <? completion a).
  Definition ends (a : attempt) (t : Z) : bool := completion a =? t.

  (* The batches before and after the completions of t. *)
  Definition batch (t : Z) : list Z := sorted (map (coded t) (filter (fun a => runs a t) l)) [].
  Definition remaining (t : Z) : list Z := sorted (map (coded t) (filter (fun a => batch_held a t) l)) [].

  (* How many of each type there are of some. *)
  Definition batch_numbers (keep : attempt -> bool) : list nat :=
    map (fun q => Z.to_nat (count q (map of (filter keep l)))) qs.
  Definition completing_at (t : Z) : list nat := batch_numbers (fun a => ends a t).

  Definition paid_by (a : attempt) : Z := D * completion a - w (of a).
  Definition to_pay (t : Z) : Z := total (fun a => if t <=? completion a then paid_by a else 0) l.
  Definition tokens_held (t : Z) : Z :=
    total (fun a => if batch_held a t then prompt (of a) + t - start a else 0) l.

  Lemma sorted_one e h : sorted [e] h = insert_code e h.
  Proof. reflexivity. Qed.

  Lemma before_batch t : before W (batch (t + 1)) = remaining t.
  Proof.
    unfold batch, remaining, sorted. clear Hfits. induction l as [|a k IH]; [reflexivity|].
    assert (Ha := Hvalid a (or_introl eq_refl)). assert (Hq := Hqs _ (Hin a (or_introl eq_refl))).
    specialize (IH (fun x Hx => Hvalid x (or_intror Hx)) (fun x Hx => Hin x (or_intror Hx))).
    cbn [filter]. unfold runs at 1, batch_held at 1.
    destruct (Z.ltb_spec (start a) (t + 1)), (Z.leb_spec (t + 1) (completion a)),
      (Z.ltb_spec (start a) t), (Z.ltb_spec t (completion a)); try lia; cbn [andb map fold_right]; try exact IH.
    - rewrite before_insert, IH. unfold coded. destruct (Z.ltb_spec ((t + 1 - start a) * W + prompt (of a)) (2 * W)); [nia|].
      f_equal. lia.
    - rewrite before_insert, IH. unfold coded. destruct (Z.ltb_spec ((t + 1 - start a) * W + prompt (of a)) (2 * W)); [reflexivity|nia].
  Qed.

  Lemma taken_batch t : taken W (batch (t + 1)) + tokens_held t = memory l (t + 1).
  Proof.
    unfold batch, tokens_held, memory, sorted. clear Hfits. induction l as [|a k IH]; [reflexivity|].
    assert (Ha := Hvalid a (or_introl eq_refl)). assert (Hq := Hqs _ (Hin a (or_introl eq_refl))).
    specialize (IH (fun x Hx => Hvalid x (or_intror Hx)) (fun x Hx => Hin x (or_intror Hx))).
    cbn [filter total]. unfold runs at 1, batch_held at 1, use at 1.
    destruct (Z.ltb_spec (start a) (t + 1)), (Z.leb_spec (t + 1) (completion a)),
      (Z.ltb_spec (start a) t), (Z.ltb_spec t (completion a)); try lia; cbn [andb map fold_right]; try lia;
      rewrite taken_insert; unfold coded at 1 2;
      destruct (Z.ltb_spec ((t + 1 - start a) * W + prompt (of a)) (2 * W)); nia.
  Qed.

  Lemma in_types : forall x, In x types -> In (fst x) qs.
  Proof. intros x Hx. apply in_map, Hx. Qed.

  Lemma group (keep : attempt -> bool) :
    Permutation (map of (filter keep l))
      (expand (combine qs (counts_of qs (map of (filter keep l))))).
  Proof. apply some_types; assumption. Qed.

  Lemma pile_expand h u cs : forall ts,
    sorted (map (fun q => output q * W + prompt q) (expand (combine (map fst ts) cs))) h
    = pile (kinds_of W w u ts) (map Z.to_nat cs) h.
  Proof.
    intros ts. revert u cs. induction ts as [|[q n] ts IH]; intros u [|c cs]; cbn [map combine kinds_of pile fst];
      try reflexivity.
    unfold expand. cbn [flat_map fst snd]. fold (expand (combine (map fst ts) cs)).
    rewrite map_app. unfold sorted. rewrite fold_right_app.
    fold (sorted (map (fun q => output q * W + prompt q) (expand (combine (map fst ts) cs))) h).
    rewrite (IH (u * (n + 1))). cbn [code]. induction (Z.to_nat c) as [|m IHm]; [reflexivity|].
    cbn [repeat map fold_right adds]. rewrite IHm. reflexivity.
  Qed.

  Lemma batch_pile t : batch t = pile kinds (completing_at t) (remaining t).
  Proof.
    unfold batch. rewrite (sorted_permutation _ (map (coded t) (filter (fun a => ends a t) l ++ filter (fun a => batch_held a t) l))).
    2:{ apply Permutation_map, filter_parts; intros a Ha; destruct (Hvalid a Ha) as [[_ Ho] _];
        unfold runs, batch_held, ends, completion; lia. }
    rewrite map_app. unfold sorted. rewrite fold_right_app. fold (sorted (map (coded t) (filter (fun a => batch_held a t) l)) []).
    fold (remaining t). fold (sorted (map (coded t) (filter (fun a => ends a t) l)) (remaining t)).
    rewrite (sorted_permutation _ (map (fun q => output q * W + prompt q)
      (expand (combine qs (counts_of qs (map of (filter (fun a => ends a t) l))))))).
    2:{ replace (map (coded t) (filter (fun a => ends a t) l))
          with (map (fun q => output q * W + prompt q) (map of (filter (fun a => ends a t) l))).
        { apply Permutation_map, group. }
        rewrite map_map. apply map_ext_in. intros a Ha. apply filter_In in Ha as [_ Ha].
        unfold ends, completion, coded in *. nia. }
    unfold qs at 1. rewrite (pile_expand _ 1). unfold completing_at, batch_numbers, counts_of. rewrite map_map. reflexivity.
  Qed.

  (* Sums over some, by types. *)
  Lemma sum_numbers (keep : attempt -> bool) (g : request -> Z) :
    total (fun x => Z.of_nat (snd x) * g (fst x)) (combine qs (batch_numbers keep))
    = total (fun a => if keep a then g (of a) else 0) l.
  Proof.
    rewrite <- total_filter, <- (total_map g of).
    rewrite (total_permutation _ _ _ (group keep)), total_expand.
    2:{ intros [q n] Hx. apply in_combine_r in Hx. apply (counts_nonneg _ _ _ Hx). }
    unfold batch_numbers, counts_of. generalize qs as ks. induction ks as [|q ks IH]; [reflexivity|].
    cbn [map combine total fst snd]. rewrite IH. rewrite Z2Nat.id by apply count_nonneg. reflexivity.
  Qed.

  Lemma tokens_sum u ts ns : batch_tokens (kinds_of W w u ts) ns
    = total (fun x => Z.of_nat (snd x) * (prompt (fst x) + output (fst x))) (combine (map fst ts) ns).
  Proof.
    revert u ns. induction ts as [|[q n] ts IH]; intros u [|m ns]; try reflexivity.
    cbn [kinds_of batch_tokens map combine total fst snd size]. rewrite IH. reflexivity.
  Qed.

  Lemma charges_sum t u ts ns : charges D t (kinds_of W w u ts) ns
    = total (fun x => Z.of_nat (snd x) * (D * t - w (fst x))) (combine (map fst ts) ns).
  Proof.
    revert u ns. induction ts as [|[q n] ts IH]; intros u [|m ns]; try reflexivity.
    cbn [kinds_of charges map combine total fst snd]. rewrite IH. reflexivity.
  Qed.

  Lemma tokens_at t : batch_tokens kinds (completing_at t) + tokens_held t = memory l t.
  Proof.
    unfold kinds, completing_at. rewrite tokens_sum. fold qs. rewrite (sum_numbers _ (fun q => prompt q + output q)).
    unfold tokens_held, memory. rewrite <- total_add. apply total_ext. intros a Ha. cbv beta.
    destruct (Hvalid a Ha) as [[_ Ho] _]. unfold ends, batch_held, use, completion in *.
    destruct (Z.eqb_spec (start a + output (of a)) t), (Z.ltb_spec (start a) t),
      (Z.ltb_spec t (start a + output (of a))), (Z.leb_spec t (start a + output (of a))); cbn [andb]; lia.
  Qed.

  Lemma charges_at t : charges D t kinds (completing_at t) + to_pay (t + 1) = to_pay t.
  Proof.
    unfold kinds, completing_at. rewrite charges_sum. fold qs. rewrite (sum_numbers _ (fun q => D * t - w q)).
    unfold to_pay. rewrite <- total_add. apply total_ext. intros a _. unfold ends, paid_by. cbv beta.
    destruct (Z.eqb_spec (completion a) t) as [E|], (Z.leb_spec (t + 1) (completion a)),
      (Z.leb_spec t (completion a)); try rewrite E; lia.
  Qed.

  Lemma sizes k : In k kinds -> 1 <= size k.
  Proof.
    assert (H : forall ts u, (forall x, In x ts -> In (fst x) qs) -> In k (kinds_of W w u ts) -> 1 <= size k).
    { induction ts as [|[q n] ts IH]; intros u Hts Hk; [destruct Hk|]. destruct Hk as [<-|Hk].
      - destruct (Hqs q) as [[H1 _] H2]; [apply (Hts (q, n)); left; reflexivity|]. cbn [size]. lia.
      - apply (IH _ (fun x Hx => Hts x (or_intror Hx)) Hk). }
    apply H, in_types.
  Qed.

  (* --- Costs-to-go --- *)

  Context (Hslack : forall a, In a l -> paid_by a <= z).

  Lemma no_dear t k n : In (k, n) (combine kinds (completing_at t)) -> z < charge D k t -> n = O.
  Proof.
    intros Hk Hdear.
    assert (H : forall ts u, In (k, n) (combine (kinds_of W w u ts)
        (map (fun q => Z.to_nat (count q (map of (filter (fun a => ends a t) l)))) (map fst ts))) ->
        exists q, dual k = w q /\ n = Z.to_nat (count q (map of (filter (fun a => ends a t) l))) /\ In q (map fst ts)).
    { induction ts as [|[q m] ts IH]; intros u H; [destruct H|]. cbn [kinds_of map combine fst] in H.
      destruct H as [H|H]; [inversion H; subst; exists q; cbn [dual]; simpl; auto|].
      destruct (IH _ H) as (q' & H1 & H2 & H3). exists q'. simpl. auto. }
    destruct (H types 1 Hk) as (q & Hq & -> & Hqin). clear H.
    assert (Hnone : count q (map of (filter (fun a => ends a t) l)) = 0); [|rewrite Hnone; reflexivity].
    unfold count. rewrite total_map, total_filter. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
    intros a Ha. unfold ends. destruct (Z.eqb_spec (completion a) t) as [E|]; [|reflexivity].
    destruct (same q (of a)) eqn:Es; [|reflexivity]. exfalso.
    apply same_eq in Es; [|apply Hzero, Hqin|apply Hzero, Hin, Ha]. specialize (Hslack a Ha).
    unfold paid_by, charge in *. rewrite E, <- Es, <- Hq in Hslack. lia.
  Qed.

  Definition room (t : Z) : Z := M - memory l t.

  (* A table has the batch of a time, and those between its completions. *)
  Definition describes (t : Z) (T : batch_table) : Prop :=
    batch_entry T (batch t) (to_pay t) (room t) /\
    forall ns, Forall2 le ns (completing_at t) -> exists r,
      batch_entry T (pile kinds ns (remaining t)) (to_pay (t + 1) + charges D t kinds ns) r.

  Lemma tokens_le ks ns ns' : (forall k, In k ks -> 1 <= size k) -> Forall2 le ns ns' -> batch_tokens ks ns <= batch_tokens ks ns'.
  Proof.
    intros Hk H. revert ks Hk. induction H as [|n n' ns ns' Hn H IH]; intros [|k ks] Hk; cbn [batch_tokens]; try lia.
    specialize (IH ks (fun x Hx => Hk x (or_intror Hx))). specialize (Hk k (or_introl eq_refl)). nia.
  Qed.

  Lemma grow_describes t S : batch_entry (fst S) (batch (t + 1)) (to_pay (t + 1)) (room (t + 1)) ->
    0 < snd (grow D z t kinds (back W S)) -> describes t (fst (grow D z t kinds (back W S))).
  Proof.
    intros Hentry Hpos.
    assert (Hback : 0 < snd (back W S)) by (destruct (grow_leads D z t kinds (back W S)); lia).
    pose proof (back_spec W S _ _ _ Hback Hentry) as Hafter. rewrite before_batch in Hafter.
    pose proof (tokens_at t) as Htokens. pose proof (taken_batch t) as Htaken.
    assert (Hall : forall ns, Forall2 le ns (completing_at t) ->
        batch_entry (fst (grow D z t kinds (back W S))) (pile kinds ns (remaining t))
          (to_pay (t + 1) + charges D t kinds ns) (room (t + 1) + taken W (batch (t + 1)) - batch_tokens kinds ns)).
    { intros ns Hns. pose proof (tokens_le kinds _ _ sizes Hns) as Hle. specialize (Hfits t) as Hfit.
      apply grow_spec; [exact sizes|exact Hafter|unfold room; lia| |exact Hpos].
      intros k n Hk Hdear.
      assert (Hmore : exists n', In (k, n') (combine kinds (completing_at t)) /\ (n <= n')%nat).
      { clear -Hns Hk. revert Hk. generalize kinds as ks. induction Hns as [|m m' ns ns' Hm Hns IH]; intros [|k' ks] Hk;
          try (destruct Hk; fail). cbn [combine] in *. destruct Hk as [Hk|Hk].
        - inversion Hk. subst. exists m'. split; [left; reflexivity|exact Hm].
        - destruct (IH ks Hk) as (n' & H1 & H2). exists n'. split; [right; exact H1|exact H2]. }
      destruct Hmore as (n' & Hn' & Hnn). rewrite (no_dear t k n' Hn' Hdear) in Hnn. lia. }
    assert (Hrefl : Forall2 le (completing_at t) (completing_at t)).
    { generalize (completing_at t). intros ns. induction ns; constructor; auto. }
    split.
    - destruct (Hall _ Hrefl) as (v & r & H1 & H2 & H3). rewrite <- batch_pile in H1.
      exists v, r. split; [exact H1|]. pose proof (charges_at t). unfold room in *. lia.
    - intros ns Hns. eexists. apply Hall, Hns.
  Qed.

  (* Tables of times t, t + 1, ..., T. *)
  Fixpoint describe (T t : Z) (all : list batch_table) : Prop :=
    match all with [] => t = T + 1 | x :: rest => describes t x /\ describe T (t + 1) rest end.

  Lemma back_less S : snd (back W S) <= snd S.
  Proof.
    assert (H : leads (KeyMap.empty _, snd S) (back W S)); [|destruct H; assumption].
    unfold back. apply fold_leads; [apply leads_refl|apply leads_trans|intros; apply put_leads].
  Qed.

  Lemma tables_less t S later : snd (snd (batch_tables D z W kinds t S later)) <= snd S.
  Proof.
    revert S later. induction t as [|t IH]; intros S later; cbn [batch_tables]; [cbn; lia|].
    eapply Z.le_trans; [apply IH|]. destruct (grow_leads D z (Z.of_nat (Datatypes.S t)) kinds (back W S)) as [H _].
    pose proof (back_less S). lia.
  Qed.

  Lemma tables_spec T t S later all S1 :
    batch_tables D z W kinds t S later = (all, S1) -> 0 < snd S1 ->
    batch_entry (fst S) (batch (Z.of_nat t + 1)) (to_pay (Z.of_nat t + 1)) (room (Z.of_nat t + 1)) ->
    describe T (Z.of_nat t + 1) later ->
    describe T 1 all /\ batch_entry (fst S1) (batch 1) (to_pay 1) (room 1).
  Proof.
    revert S later. induction t as [|t IH]; intros S later E Hpos Hentry Hlater; cbn [batch_tables] in E.
    - inversion E. subst. auto.
    - set (S' := grow D z (Z.of_nat (Datatypes.S t)) kinds (back W S)) in *.
      assert (HS' : 0 < snd S').
      { pose proof (tables_less t S' (fst S' :: later)) as H. rewrite E in H. cbn [snd] in H. lia. }
      pose proof (grow_describes _ S Hentry HS') as Hdesc. fold S' in Hdesc.
      replace (Z.of_nat (Datatypes.S t)) with (Z.of_nat t + 1) in Hdesc by lia.
      apply (IH S' (fst S' :: later) E Hpos); [apply Hdesc|]. cbn [describe]. split; [exact Hdesc|].
      replace (Z.of_nat t + 1 + 1) with (Z.of_nat (Datatypes.S t) + 1) by lia. exact Hlater.
  Qed.

  Lemma none_left t : (forall a, In a l -> completion a < t) ->
    batch t = [] /\ to_pay t = 0 /\ memory l t = 0 /\ remaining (t - 1) = [].
  Proof.
    intros H. repeat split.
    - unfold batch. replace (filter (fun a => runs a t) l) with (@nil attempt); [reflexivity|].
      clear -H. induction l as [|a k IH]; [reflexivity|]. cbn [filter]. specialize (H a (or_introl eq_refl)) as Ha.
      unfold runs at 1. replace (t <=? completion a) with false by lia. rewrite andb_false_r.
      apply IH. intros x Hx. apply H. simpl. auto.
    - unfold to_pay. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
      intros a Ha. specialize (H a Ha). replace (t <=? completion a) with false by lia. reflexivity.
    - unfold memory. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
      intros a Ha. specialize (H a Ha). unfold use. replace (t <=? completion a) with false by lia.
      rewrite andb_false_r. reflexivity.
    - unfold remaining. replace (filter (fun a => batch_held a (t - 1)) l) with (@nil attempt); [reflexivity|].
      clear -H. induction l as [|a k IH]; [reflexivity|]. cbn [filter]. specialize (H a (or_introl eq_refl)) as Ha.
      unfold batch_held at 1. replace (t - 1 <? completion a) with false by lia. rewrite andb_false_r.
      apply IH. intros x Hx. apply H. simpl. auto.
  Qed.

  Context (HD : 1 <= D).

  Lemma most_of_ge x duals : In x duals -> x <= most_of duals.
  Proof.
    induction duals as [|y [|y' rest] IH]; intros H; [destruct H|destruct H as [->|[]]; cbn; lia|].
    change (most_of (y :: y' :: rest)) with (Z.max y (most_of (y' :: rest))).
    destruct H as [->|H]; [lia|]. specialize (IH H). lia.
  Qed.

  Lemma dual_in q : In q qs -> In (w q) (map dual kinds).
  Proof.
    assert (H : forall ts u, In q (map fst ts) -> In (w q) (map dual (kinds_of W w u ts))); [|apply H].
    induction ts as [|[q' n] ts IH]; intros u H; [destruct H|]. cbn [map kinds_of fst dual] in *.
    destruct H as [->|H]; [left; reflexivity|right; apply IH, H].
  Qed.

  Lemma costs_to_go_spec V all : costs_to_go M D z kinds = Some (V, all) ->
    V <= to_pay 1 /\ exists T, describe T 1 all /\ forall a, In a l -> completion a <= T.
  Proof.
    unfold costs_to_go. fold W. set (last := (most_of (map dual kinds) + z) / D).
    destruct (_ && _); [|discriminate].
    destruct (batch_tables D z W kinds (Z.to_nat last) _ []) as [all' S1] eqn:E.
    destruct (KeyMap.find [] (fst (back W S1))) as [x|] eqn:Ex; [|discriminate].
    destruct (Z.ltb_spec 0 (snd (back W S1))) as [Hpos|]; [|discriminate].
    intros H. inversion H. subst V all'. clear H.
    set (T := Z.of_nat (Z.to_nat last)).
    assert (Hlast : forall a, In a l -> completion a <= T).
    { intros a Ha. specialize (Hslack a Ha) as Hs. unfold paid_by in Hs.
      pose proof (most_of_ge _ _ (dual_in _ (Hin a Ha))) as Hm.
      assert (completion a <= last) by (apply Z.div_le_lower_bound; lia). lia. }
    destruct (none_left (T + 1)) as (H1 & H2 & H3 & _); [intros a Ha; specialize (Hlast a Ha); lia|].
    destruct (tables_spec T _ _ _ _ _ E) as [Hdesc Hfirst].
    { pose proof (back_less S1). lia. }
    { fold T. rewrite H1, H2. exists 0, M. cbn [fst]. rewrite KeyFacts.add_eq_o by reflexivity.
      split; [reflexivity|]. unfold room. rewrite H3. lia. }
    { reflexivity. }
    split.
    - pose proof (back_spec W S1 _ _ _ Hpos Hfirst) as (v & r & Hv & Hle & _).
      replace (before W (batch 1)) with (@nil Z) in Hv.
      + rewrite Hv in Ex. inversion Ex. cbn [fst]. exact Hle.
      + change 1 with (0 + 1). rewrite before_batch. unfold remaining.
        replace (filter (fun a => batch_held a 0) l) with (@nil attempt); [reflexivity|].
        clear -Hvalid. induction l as [|a k IH]; [reflexivity|]. cbn [filter].
        destruct (Hvalid a (or_introl eq_refl)) as [_ Hs]. unfold batch_held at 1.
        replace (start a <? 0) with false by lia. cbn [andb]. apply IH. intros x Hx. apply Hvalid. simpl. auto.
    - exists T. split; [exact Hdesc|]. exact Hlast.
  Qed.

  (* --- The search --- *)

  Definition left (t : Z) : Z := encode kinds (batch_numbers (fun a => t <=? completion a)).
  Definition paid_before (t : Z) : Z := total (fun a => if completion a <? t then paid_by a else 0) l.

  Lemma count_parts q (keep f g : attempt -> bool) :
    (forall a, In a l -> keep a = f a || g a) -> (forall a, In a l -> f a && g a = false) ->
    count q (map of (filter keep l)) = count q (map of (filter f l)) + count q (map of (filter g l)).
  Proof.
    intros H1 H2. unfold count. rewrite !total_map, !total_filter, <- total_add. apply total_ext.
    intros a Ha. rewrite (H1 a Ha). specialize (H2 a Ha). destruct (f a), (g a); cbn [orb andb] in *;
      try discriminate; lia.
  Qed.

  Lemma encode_parts (keep f g : attempt -> bool) :
    (forall a, In a l -> keep a = f a || g a) -> (forall a, In a l -> f a && g a = false) ->
    encode kinds (batch_numbers keep) = encode kinds (batch_numbers f) + encode kinds (batch_numbers g).
  Proof.
    intros H1 H2. unfold kinds, batch_numbers, qs. generalize 1 as u.
    assert (H : forall ts u, encode (kinds_of W w u ts)
          (map (fun q => Z.to_nat (count q (map of (filter keep l)))) (map fst ts))
        = encode (kinds_of W w u ts) (map (fun q => Z.to_nat (count q (map of (filter f l)))) (map fst ts))
        + encode (kinds_of W w u ts) (map (fun q => Z.to_nat (count q (map of (filter g l)))) (map fst ts)));
      [|intros u; apply H].
    induction ts as [|[q n] ts IH]; intros u; [reflexivity|]. cbn [map kinds_of encode fst radix].
    rewrite IH, (count_parts q keep f g H1 H2).
    rewrite !Z2Nat.id by (try apply Z.add_nonneg_nonneg; apply count_nonneg). lia.
  Qed.

  Lemma left_step t : left t - encode kinds (completing_at t) = left (t + 1).
  Proof.
    unfold left, completing_at.
    rewrite (encode_parts (fun a => t <=? completion a) (fun a => ends a t) (fun a => t + 1 <=? completion a));
      [lia| |]; intros a _; unfold ends; lia.
  Qed.

  Lemma paid_step t : paid_before t + charges D t kinds (completing_at t) = paid_before (t + 1).
  Proof.
    pose proof (charges_at t) as H. unfold to_pay in H.
    assert (E : forall s, paid_before s + total (fun a => if s <=? completion a then paid_by a else 0) l
        = total paid_by l).
    { intros s. unfold paid_before. rewrite <- total_add. apply total_ext. intros a _.
      destruct (Z.ltb_spec (completion a) s), (Z.leb_spec s (completion a)); lia. }
    pose proof (E t). pose proof (E (t + 1)). lia.
  Qed.

  Lemma paid_all t : paid_before t + to_pay t = total paid_by l.
  Proof.
    unfold paid_before, to_pay. rewrite <- total_add. apply total_ext. intros a _.
    destruct (Z.ltb_spec (completion a) t), (Z.leb_spec t (completion a)); lia.
  Qed.

  Context (Hcounts : forall x, In x types -> count (fst x) (map of l) = snd x).

  Lemma left_positive t a : In a l -> t <= completion a -> left t <> 0.
  Proof.
    intros Ha Ht. unfold left, batch_numbers, kinds.
    assert (Hone : 1 <= count (of a) (map of (filter (fun a => t <=? completion a) l))).
    { unfold count. rewrite total_map, total_filter. destruct (in_split a l Ha) as (l1 & l2 & ->).
      rewrite total_app. cbn [total]. rewrite same_refl. replace (t <=? completion a) with true by lia.
      assert (Hpos : forall k : list attempt, 0 <= total (fun x => if t <=? completion x
          then if same (of a) (of x) then 1 else 0 else 0) k).
      { intros k. apply total_nonneg. intros x _. destruct (t <=? completion x), (same (of a) (of x)); lia. }
      pose proof (Hpos l1). pose proof (Hpos l2). lia. }
    assert (H : forall ts u, (forall x, In x ts -> In x types) ->
        0 <= encode (kinds_of W w u ts)
          (map (fun q => Z.to_nat (count q (map of (filter (fun a => t <=? completion a) l)))) (map fst ts)) /\
        (In (of a) (map fst ts) -> 0 < encode (kinds_of W w u ts)
          (map (fun q => Z.to_nat (count q (map of (filter (fun a => t <=? completion a) l)))) (map fst ts)))).
    { induction ts as [|[q n] ts IH]; intros u Hts; [split; [cbn; lia|intros []]|].
      destruct (IH (u * (n + 1)) (fun x Hx => Hts x (or_intror Hx))) as [IH1 IH2].
      pose proof (Hcounts (q, n) (Hts _ (or_introl eq_refl))) as Hn. cbn [fst snd] in Hn.
      pose proof (count_nonneg q (map of l)). cbn [map kinds_of encode fst radix] in *. split; [nia|].
      intros [->|Hq]; [nia|]. specialize (IH2 Hq). nia. }
    destruct (H types 1) as [_ H']; [auto|]. specialize (H' (Hin a Ha)). fold qs in H'. lia.
  Qed.

  Lemma left_none t : (forall a, In a l -> completion a < t) -> left t = 0.
  Proof.
    intros Hnone. unfold left, batch_numbers, kinds.
    replace (filter (fun a => t <=? completion a) l) with (@nil attempt).
    - assert (H : forall ts u, encode (kinds_of W w u ts)
          (map (fun q => Z.to_nat (count q (map of []))) (map fst ts)) = 0); [|apply H].
      induction ts as [|[q n] ts IH]; intros u; [reflexivity|]. cbn [map kinds_of encode fst].
      cbn [map] in IH. rewrite IH. cbn. lia.
    - clear -Hnone. induction l as [|a k IH]; [reflexivity|]. cbn [filter].
      specialize (Hnone a (or_introl eq_refl)) as Ha. replace (t <=? completion a) with false by lia.
      apply IH. intros x Hx. apply Hnone. simpl. auto.
  Qed.

  Lemma enough_at t : enough kinds (completing_at t) (batch_numbers (fun a => t <=? completion a)).
  Proof.
    unfold completing_at, batch_numbers, kinds.
    assert (H : forall ts u, (forall x, In x ts -> In x types) -> enough (kinds_of W w u ts)
        (map (fun q => Z.to_nat (count q (map of (filter (fun a => ends a t) l)))) (map fst ts))
        (map (fun q => Z.to_nat (count q (map of (filter (fun a => t <=? completion a) l)))) (map fst ts)));
      [|apply H; auto].
    induction ts as [|[q n] ts IH]; intros u Hts; [exact I|]. cbn [map kinds_of enough fst radix].
    pose proof (Hcounts (q, n) (Hts _ (or_introl eq_refl))) as Hn. cbn [fst snd] in Hn.
    assert (Hle : forall f g : attempt -> bool, (forall a, f a = true -> g a = true) ->
        count q (map of (filter f l)) <= count q (map of (filter g l))).
    { intros f g Hfg. unfold count. rewrite !total_map, !total_filter. apply total_le. intros a _.
      specialize (Hfg a). destruct (f a), (g a), (same q (of a)); try lia; discriminate Hfg; reflexivity. }
    pose proof (count_nonneg q (map of (filter (fun a => t <=? completion a) l))).
    split; [|split; [|apply IH; intros x Hx; apply Hts; simpl; auto]].
    - apply Z2Nat.inj_le; try apply count_nonneg. apply Hle. unfold ends. intros a Ha. lia.
    - rewrite Z2Nat.id by apply count_nonneg. specialize (Hle (fun a => t <=? completion a) (fun _ => true)).
      assert (Hall : filter (fun _ : attempt => true) l = l).
      { clear. induction l as [|a k IH]; [reflexivity|]. cbn [filter]. rewrite IH. reflexivity. }
      rewrite Hall, Hn in Hle. specialize (Hle (fun _ _ => eq_refl)). lia.
  Qed.

  Lemma placed_kinds ts u : placed_batch u (kinds_of W w u ts).
  Proof. revert u. induction ts as [|[q n] ts IH]; intros u; [exact I|]. split; [reflexivity|apply IH]. Qed.

  Lemma paid_from t g T N h : (forall h v r, batch_entry T h v r -> rest_at N h v) -> forall ks ns,
    (forall ns', Forall2 le ns' ns -> exists r, batch_entry T (pile ks ns' h) (g + charges D t ks ns') r) ->
    paid_batches D t g N ks ns h.
  Proof.
    intros HN. induction ks as [|k ks IH]; intros [|n ns] H; cbn [paid_batches]; auto. split.
    - intros j Hj. destruct (H (j :: ns)) as (r & Hr).
      { constructor; [lia|]. clear. induction ns; constructor; auto. }
      cbn [pile charges] in Hr. rewrite Z.add_assoc in Hr. apply (HN _ _ _ Hr).
    - apply IH. intros ns' Hns'. destruct (H (O :: ns')) as (r & Hr); [constructor; [lia|exact Hns']|].
      cbn [pile adds charges] in Hr. exists r. replace (g + charges D t ks ns')
        with (g + (Z.of_nat 0 * charge D k t + charges D t ks ns')) by lia. exact Hr.
  Qed.

  Lemma batch_busy t : busy_schedule l -> 1 <= t -> (exists a, In a l /\ t <= completion a) -> batch t <> [].
  Proof.
    intros Hbusy Ht Hlater. destruct (Hbusy t Ht Hlater) as (a & Ha & Hrun). unfold batch.
    assert (H : In a (filter (fun a => runs a t) l)) by (apply filter_In; auto).
    destruct (filter (fun a => runs a t) l) as [|b k]; [destruct H|]. cbn [map sorted fold_right].
    intros E. apply (f_equal (@length Z)) in E. rewrite insert_length in E. discriminate.
  Qed.

  Lemma search_finds X limit T : busy_schedule l -> total paid_by l <= X ->
    (forall a, In a l -> completion a <= T) -> forall later t N n, 1 <= t -> describe T t later ->
    (exists a, In a l /\ t <= completion a) -> node_at N (remaining (t - 1)) (left t) (paid_before t) ->
    none_found W D z X limit kinds t later N n = false.
  Proof.
    intros Hbusy HX HT. induction later as [|x later IH]; intros t N n Ht Hdesc (b & Hb & Hbt) Hnode;
      cbn [describe none_found] in *.
    - specialize (HT b Hb). lia.
    - destruct Hdesc as [[Hentry Hbetween] Hdesc].
      assert (Hadv : node_at (advance_batch W X N x) (batch t) (left t) (paid_before t)).
      { apply (advance_batch_spec _ _ _ _ _ _ _ (to_pay t) (room t)).
        - replace t with (t - 1 + 1) at 1 by lia. rewrite before_batch. exact Hnode.
        - exact Hentry.
        - apply batch_busy; eauto.
        - apply (left_positive t b Hb Hbt).
        - rewrite paid_all. exact HX. }
      set (N' := finish D z X t kinds (advance_batch W X N x)).
      assert (HN' : node_at N' (remaining t) (left (t + 1)) (paid_before (t + 1))).
      { rewrite <- left_step, <- paid_step. rewrite <- (Z.mul_1_l (encode kinds (completing_at t))).
        rewrite batch_pile in Hadv.
        apply (finish_spec D z X t (to_pay (t + 1)) kinds (completing_at t)
          (batch_numbers (fun a => t <=? completion a)) 1 0).
        - apply placed_kinds.
        - lia.
        - apply enough_at.
        - unfold left. lia.
        - exact Hadv.
        - apply (paid_from _ _ x); [|exact Hbetween]. intros h v r. apply advance_rest.
        - pose proof (charges_at t). pose proof (paid_all t). lia.
        - apply no_dear. }
      destruct (existsb (fun a => t + 1 <=? completion a) l) eqn:E.
      + apply existsb_exists in E as (a & Ha & Hat). rewrite (IH (t + 1) N').
        * apply andb_false_r.
        * lia.
        * exact Hdesc.
        * exists a. split; [exact Ha|lia].
        * replace (t + 1 - 1) with t by lia. exact HN'.
      + assert (Hnone : forall a, In a l -> completion a < t + 1).
        { intros a Ha. destruct (Z.lt_ge_cases (completion a) (t + 1)) as [|Hge]; [assumption|exfalso].
          assert (existsb (fun a => t + 1 <=? completion a) l = true); [|congruence].
          apply existsb_exists. exists a. split; [exact Ha|lia]. }
        destruct (none_left (t + 1) Hnone) as (_ & Hpay & _ & Hrem).
        replace (t + 1 - 1) with t in Hrem by lia. rewrite Hrem, (left_none _ Hnone) in HN'.
        rewrite (found_spec X N' (paid_before (t + 1)) HN'); [reflexivity|].
        pose proof (paid_all (t + 1)). lia.
  Qed.
End Schedule.

(* The cheapest path without completions that cost more than 0 costs no more than any schedule. *)
Lemma cheapest_below M D z w types l V all :
  distinct (map fst types) = true -> at_once (map fst types) ->
  (forall q, In q (map fst types) -> 0 <= prompt q < M + 1 /\ 1 <= output q) ->
  (forall a, In a l -> valid a) -> fits M l -> (forall a, In a l -> In (of a) (map fst types)) ->
  0 <= z -> 1 <= D -> costs_to_go M D z (kinds_of (M + 1) w 1 types) = Some (V, all) ->
  V <= total (fun a => Z.min 0 (paid_by D w a)) l.
Proof.
  intros Hdist Hzero Hqs Hvalid Hfits Hin Hz HD E.
  set (l0 := filter (fun a => paid_by D w a <=? 0) l).
  assert (Hl0 : forall a, In a l0 -> In a l /\ paid_by D w a <= 0).
  { intros a Ha. apply filter_In in Ha as [Ha Hle]. split; [exact Ha|lia]. }
  destruct (costs_to_go_spec M D z w types l0) with (V := V) (all := all) as [HV _]; auto.
  - intros a Ha. apply Hvalid, Hl0, Ha.
  - intros r. eapply Z.le_trans; [|apply (Hfits r)]. unfold memory, l0. rewrite total_filter. apply total_le.
    intros a Ha. pose proof (use_nonneg a r (Hvalid a Ha)). destruct (_ <=? 0); lia.
  - intros a Ha. apply Hin, Hl0, Ha.
  - intros a Ha. destruct (Hl0 a Ha). lia.
  - eapply Z.le_trans; [exact HV|]. unfold to_pay, l0. rewrite total_filter. apply total_le. intros a Ha.
    destruct (Hvalid a Ha) as [[_ Ho] Hs]. replace (1 <=? completion a) with true by (unfold completion; lia).
    destruct (Z.leb_spec (paid_by D w a) 0); lia.
Qed.

Lemma each_below D w l V X a : V <= total (fun a => Z.min 0 (paid_by D w a)) l ->
  total (paid_by D w) l <= X -> In a l -> paid_by D w a <= Z.max 0 (X - V).
Proof.
  intros HV HX Ha. destruct (in_split a l Ha) as (l1 & l2 & ->). rewrite total_app in *. cbn [total] in *.
  assert (H : forall k, total (fun a => Z.min 0 (paid_by D w a)) k <= total (paid_by D w) k).
  { intros k. apply total_le. intros x _. lia. }
  pose proof (H l1). pose proof (H l2). lia.
Qed.

Lemma paid_total D w requests types l : (forall x, In x types -> 0 <= snd x) ->
  map of l = requests -> Permutation requests (expand types) ->
  total (paid_by D w) l = D * completions l - total (fun x => snd x * w (fst x)) types.
Proof.
  intros Hcounts Hof Hperm. rewrite <- (total_expand w types Hcounts), <- (total_permutation w _ _ Hperm), <- Hof.
  rewrite total_map. unfold completions. rewrite <- total_scale. unfold paid_by.
  clear. induction l as [|a l IH]; cbn [total]; lia.
Qed.

(* The rule "batch-state" of FORMAT.md: whatever the duals are, if the checker returns a number, then every
   schedule of these requests costs at least that. *)
Theorem batch_sound M D duals types low limit result requests l :
  batch_bound M D duals types low limit = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold batch_bound. set (w := worth_of duals). set (kinds := kinds_of (M + 1) w 1 types).
  set (value := total (fun x => snd x * w (fst x)) types). set (z := if limit =? 0 then 0 else _).
  intros Hresult Hperm Hl.
  destruct ((1 <=? M) && _ && _ && _ && _) eqn:E; [|discriminate].
  apply andb_true_iff in E as [E Hdist]. apply andb_true_iff in E as [E Htypes].
  apply andb_true_iff in E as [E Hsome]. apply andb_true_iff in E as [HM HD].
  rewrite forallb_forall in Htypes.
  assert (HD1 : 1 <= D) by lia. assert (Hz : 0 <= z) by (unfold z; destruct (limit =? 0); lia).
  assert (Hcounts : forall x, In x types -> 0 <= snd x) by (intros x Hx; specialize (Htypes x Hx); lia).
  assert (Hqs : forall q, In q (map fst types) -> 0 <= prompt q < M + 1 /\ 1 <= output q).
  { intros q Hq. apply in_map_iff in Hq as (x & <- & Hx). specialize (Htypes x Hx). lia. }
  assert (Hzero : at_once (map fst types)).
  { intros q Hq. apply in_map_iff in Hq as (x & <- & Hx). specialize (Htypes x Hx). lia. }
  assert (Hin : forall l, schedule M requests l -> forall a, In a l -> In (of a) (map fst types)).
  { intros l' (Hof & _) a Ha. assert (Ha' : In (of a) requests) by (rewrite <- Hof; apply in_map, Ha).
    apply (Permutation_in _ Hperm), in_expand in Ha' as (n & Hn). apply in_map_iff. exists (of a, n). auto. }
  assert (Honce : at_once requests).
  { apply (at_once_expand types); [|exact Hperm]. intros x Hx. specialize (Htypes x Hx). lia. }
  rewrite (cost_at_once M requests l Hl Honce).
  destruct (costs_to_go M D z kinds) as [[V all]|] eqn:EV; [|discriminate].
  assert (HV : forall l, schedule M requests l -> V <= total (fun a => Z.min 0 (paid_by D w a)) l).
  { intros l' Hl'. pose proof Hl' as (_ & Hvalid & Hfits). rewrite Forall_forall in Hvalid.
    apply (cheapest_below M D z w types l' V all); auto. apply Hin, Hl'. }
  assert (Htotal : forall l, schedule M requests l -> total (paid_by D w) l = D * completions l - value).
  { intros l' (Hof & _). apply (paid_total D w requests types l' Hcounts Hof Hperm). }
  destruct ((low <=? _) || (limit =? 0)).
  - inversion Hresult. clear Hresult. apply Z.max_lub.
    + rewrite <- (total_expand output types Hcounts), <- (total_permutation output _ _ Hperm).
      pose proof Hl as (Hof & Hvalid & _). rewrite Forall_forall in Hvalid. rewrite <- Hof, total_map.
      apply total_le. intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. unfold completion. lia.
    + specialize (HV l Hl). specialize (Htotal l Hl).
      assert (H : total (fun a => Z.min 0 (paid_by D w a)) l <= total (paid_by D w) l).
      { apply total_le. intros a _. lia. }
      unfold ceil_div. assert (- completions l <= - (value + V) / D); [|lia].
      apply Z.div_le_lower_bound; lia.
  - set (X := D * (low - 1) - value) in *.
    destruct (Z.le_gt_cases low (completions l)) as [Hdone|Hless].
    { destruct (if X - V <=? z then _ else _) as [[V' all']|]; [|discriminate].
      destruct (none_found _ _ _ _ _ _ _ _ _ _); [|discriminate]. inversion Hresult. subst. exact Hdone. }
    exfalso. destruct (no_idle_round M requests l Hl Honce) as (l' & Hl' & Hbusy & Hle & _).
    pose proof Hl' as (Hof & Hvalid & Hfits). rewrite Forall_forall in Hvalid.
    assert (HX : total (paid_by D w) l' <= X) by (rewrite (Htotal l' Hl'); unfold X; nia).
    assert (HXV : 0 <= X - V).
    { specialize (HV l' Hl'). assert (H : total (fun a => Z.min 0 (paid_by D w a)) l' <= total (paid_by D w) l').
      { apply total_le. intros a _. lia. } lia. }
    set (z' := Z.max z (X - V)) in *.
    assert (Hall : exists V' all', costs_to_go M D z' kinds = Some (V', all') /\
        none_found (M + 1) D z' X limit kinds 1 all' (KeyMap.add [] (0,
          [(encode kinds (map (fun x => Z.to_nat (snd x)) types), 0)]) (KeyMap.empty _)) 1 = true).
    { destruct (Z.leb_spec (X - V) z).
      - exists V, all. replace z' with z at 1 by lia. split; [exact EV|].
        destruct (none_found _ _ _ _ _ _ _ _ _ _); [reflexivity|discriminate].
      - destruct (costs_to_go M D z' kinds) as [[V' all']|] eqn:E'; [|discriminate].
        exists V', all'. split; [reflexivity|].
        destruct (none_found _ _ _ _ _ _ _ _ _ _); [reflexivity|discriminate]. }
    destruct Hall as (V' & all' & E' & Hnone).
    assert (Hslack : forall a, In a l' -> paid_by D w a <= z').
    { intros a Ha. pose proof (each_below D w l' V X a (HV l' Hl') HX Ha). unfold z'. lia. }
    assert (Hcount : forall x, In x types -> count (fst x) (map of l') = snd x).
    { intros x Hx. rewrite Hof, (counts_permutation _ _ _ Hperm).
      pose proof (count_expand (map fst types) types Hdist Hzero Hcounts eq_refl) as H.
      unfold counts_of in H. rewrite map_map in H. clear -H Hx. revert H Hx. generalize (expand types) as r.
      intros r. induction types as [|y ts IH]; intros H Hx; [destruct Hx|]. cbn [map] in H. injection H as H1 H2.
      destruct Hx as [<-|Hx]; [exact H1|apply IH; assumption]. }
    destruct (costs_to_go_spec M D z' w types l') with (V := V') (all := all') as (_ & T & Hdesc & HT); auto.
    { apply Hin, Hl'. }
    match type of Hnone with ?found = true => assert (Hfound : found = false); [|congruence] end.
    apply (search_finds M D z' w types l') with (T := T); auto; try lia.
    + apply Hin, Hl'.
    + (* somebody completes *)
      destruct l' as [|a l'].
      * exfalso. cbn [map] in Hof. subst requests. apply Permutation_nil in Hperm.
        assert (total (fun x => snd x) types = 0); [|lia].
        rewrite (total_ext _ (fun x => snd x * 1)) by (intros; lia).
        rewrite <- (total_expand (fun _ => 1) types Hcounts), Hperm. reflexivity.
      * exists a. split; [left; reflexivity|]. destruct (Hvalid a (or_introl eq_refl)) as [[_ Ho] Hs].
        unfold completion. lia.
    + exists 0, [(encode kinds (map (fun x => Z.to_nat (snd x)) types), 0)], 0.
      assert (Hearly : forall a, In a l' -> 1 <= completion a /\ 0 <= start a).
      { intros a Ha. destruct (Hvalid a Ha) as [[_ Ho] Hs]. unfold completion. lia. }
      rewrite KeyFacts.add_eq_o.
      * split; [reflexivity|]. split.
        -- left. f_equal. unfold left, batch_numbers, kinds. f_equal.
           assert (Hfilter : filter (fun a => 1 <=? completion a) l' = l').
           { clear -Hearly. induction l' as [|a k IH]; [reflexivity|]. cbn [filter].
             destruct (Hearly a (or_introl eq_refl)). replace (1 <=? completion a) with true by lia.
             rewrite IH by (intros x Hx; apply Hearly; simpl; auto). reflexivity. }
           rewrite Hfilter, map_map. apply map_ext_in. intros x Hx. rewrite (Hcount x Hx). reflexivity.
        -- unfold paid_before. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
           intros a Ha. destruct (Hearly a Ha). replace (completion a <? 1) with false by lia. reflexivity.
      * unfold Key.eq, remaining. replace (filter (fun a => batch_held a (1 - 1)) l') with (@nil attempt); [reflexivity|].
        clear -Hearly. induction l' as [|a k IH]; [reflexivity|]. cbn [filter].
        destruct (Hearly a (or_introl eq_refl)). unfold batch_held at 1. replace (start a <? 1 - 1) with false by lia.
        cbn [andb]. apply IH. intros x Hx. apply Hearly. simpl. auto.
Qed.
