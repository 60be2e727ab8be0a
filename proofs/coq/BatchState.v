(* The rule "batch-state" of FORMAT.md: theorems 4 and 6 of batch_state.md, for any duals.

   Of a busy schedule, and of what remains of it without some runs, see the batch before the completions
   of each time.  Costs-to-go are no more than what the completions from that time on cost, and the search meets
   every batch, with who has yet to complete, at no more than what completions have cost before.

   Releases (theorem 5 of release_times.md): costs-to-go are about prices; in the search those of one prompt and
   output complete in the order of their releases, which changes neither batches nor the sum of what they pay. *)

From Coq Require Import ZArith List Lia Bool Permutation FMapPositive.
From Kvopt Require Import Model Sums Staircase Completions Area Prices Paths PathCheck Types Keys Vectors Exhaustive
  Released BatchGraph Batches.
Import ListNotations.
Open Scope Z_scope.

(* --- The rule ---------------------------------------------------------------------------- *)

(* The largest dual, and the one farthest from 0. *)
Fixpoint most_of (duals : list Z) : Z :=
  match duals with [] => 0 | [x] => x | x :: rest => Z.max x (most_of rest) end.
Definition farthest (duals : list Z) : Z := latest (map Z.abs duals).

(* (release, dual) of those of one prompt and output, the first to complete first; and by how many are left. *)
Definition queue_of (types duals : list (request * Z)) (q : request) : list (Z * Z) :=
  flat_map (fun x => if same q (fst (fst x))
    then repeat (release (fst (fst x)), snd (snd x)) (Z.to_nat (snd (fst x))) else []) (combine types duals).
Definition by_left (queue : list (Z * Z)) : Z * PositiveMap.t (Z * Z) :=
  fold_right (fun x found => (fst found + 1, PositiveMap.add (Z.to_pos (fst found + 1)) x (snd found)))
    (0, PositiveMap.empty _) queue.
Fixpoint rising_queue (queue : list (Z * Z)) : bool :=
  match queue with
  | x :: (y :: _) as rest => (fst x <=? fst y) && rising_queue rest
  | _ => true
  end.

(* Types as the search knows them; u is the place of the first. *)
Fixpoint kinds_of (W : Z) (S : steps_map) (Q : request -> PositiveMap.t (Z * Z)) (u : Z)
    (types : list (request * Z)) : list kind :=
  match types with
  | [] => []
  | (q, n) :: rest =>
      let duals := map snd (steps_of S q) in
      Kind (output q * W + prompt q) (prompt q + output q) (most_of duals) (farthest duals) u (n + 1)
        (output q) (steps_of S q) (Q q)
      :: kinds_of W S Q (u * (n + 1)) rest
  end.

(* The dual of who completes if m are left; the sum of those of the last m. *)
Definition dual_left (queue : PositiveMap.t (Z * Z)) (m : Z) : Z :=
  match PositiveMap.find (Z.to_pos m) queue with Some x => snd x | None => 0 end.
Definition last_duals (queue : PositiveMap.t (Z * Z)) (m : Z) : Z :=
  sum_below (Z.to_nat m) (fun j => dual_left queue (Z.of_nat j + 1)).

Definition max_path_cost : Z := 2 ^ 60.

(* The cost of the cheapest path on which no completion costs more than z, the tables, and the graph. *)
Definition costs_to_go (M D z : Z) (kinds : list kind) : option (Z * (list batch_table * batch_graph)) :=
  let last := (most_of (map dual kinds) + z) / D in
  if (last + 1) * M * (D * (last + 1) + farthest (map far kinds)) <=? max_path_cost then
    let top := Z.max 0 last + 1 in
    match some_graph M (M + 1) D z top kinds with
    | None => None
    | Some G =>
        let (all, T) := batch_tables D z kinds G (Z.to_nat last)
          (tabulate (how_many G) (fun i => if i =? root G then 0 else beyond)) [] in
        Some (least_next T beyond (at_place [] (nexts G) (root G)), (all, G))
    end
  else None.

(* The search begins with one node, of the empty batch, from which all have yet to complete. *)
Definition first_nodes (G : batch_graph) (everyone : Z) : nodes :=
  (how_many G, tabulate (how_many G) (fun p => if how_many G - 1 - p =? root G then [(everyone, 0)] else [])).

(* What the duals give, or `low` if a search with no more nodes than `limit` proves that. *)
Definition batch_bound (M D : Z) (duals : list (request * Z)) (types : list (request * Z)) (latency limit : Z) :
    option Z :=
  let shapes := shapes_of types in
  let Q q := snd (by_left (queue_of types duals q)) in
  let kinds := kinds_of (M + 1) (price_steps duals) Q 1 shapes in
  let value := total (fun k => last_duals (queue k) (radix k - 1)) kinds in
  let late := total (fun x => snd x * release (fst x)) types in
  let low := latency + late in
  let z := if limit =? 0 then 0 else Z.max 0 (low / 256 * D) in
  if (1 <=? M) && (1 <=? D) && (1 <=? total (fun x => snd x) types)
    && forallb (fun x => (0 <=? prompt (fst x)) && (prompt (fst x) <=? M) && (1 <=? output (fst x))
         && (0 <=? snd x)) types
    && of_types types duals && distinct (map fst shapes)
    && forallb (fun x => rising_queue (queue_of types duals (fst x))) shapes
  then
    match costs_to_go M D z kinds with
    | None => None
    | Some (V, found) =>
        let bound := Z.max (total (fun x => snd x * output (fst x)) types) (ceil_div (value + V) D - late) in
        if (latency <=? bound) || (limit =? 0) then Some bound
        else
          let X := D * (low - 1) - value in
          let z' := Z.max z (X - V) in
          match (if X - V <=? z then Some (V, found) else costs_to_go M D z' kinds) with
          | None => None
          | Some (_, (all, G)) =>
              let everyone := encode kinds (map (fun x => Z.to_nat (snd x)) shapes) in
              if none_found D z' X kinds G (latest (map (fun x => release (fst x)) types)) limit 1 all
                (first_nodes G everyone) 1
              then Some latency else None
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
  Context (M D z : Z) (F : steps_map) (Q : request -> PositiveMap.t (Z * Z)) (types : list (request * Z)) (l : list attempt).
  Let W := M + 1.
  Let qs := map fst types.
  Let kinds := kinds_of W F Q 1 types.
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

  (* What a completion pays, in the costs-to-go. *)
  Definition price_of (q : request) (t : Z) : option Z := best_by (t - output q) (steps_of F q).
  Definition paid_by (a : attempt) : Z := cost_with D (completion a) (price_of (of a) (completion a)).
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

  Lemma tokens_remaining t : tokens_of W (remaining t) = tokens_held t.
  Proof.
    unfold remaining, tokens_held, sorted. clear Hfits. induction l as [|a k IH]; [reflexivity|].
    assert (Ha := Hvalid a (or_introl eq_refl)). assert (Hq := Hqs _ (Hin a (or_introl eq_refl))).
    specialize (IH (fun x Hx => Hvalid x (or_intror Hx)) (fun x Hx => Hin x (or_intror Hx))).
    cbn [filter total]. destruct (batch_held a t); cbn [map fold_right]; [|exact IH].
    rewrite tokens_insert, IH. unfold coded. destruct Hq as [Hq _].
    rewrite Z.div_add_l, (Z.div_small (prompt (of a)) W) by lia.
    rewrite Z.add_comm with (n := (t - start a) * W), Z.mod_add, Z.mod_small by lia. lia.
  Qed.

  Lemma in_types : forall x, In x types -> In (fst x) qs.
  Proof. intros x Hx. apply in_map, Hx. Qed.

  Lemma group (keep : attempt -> bool) :
    Permutation (map of (filter keep l))
      (expand (combine qs (counts_of qs (map of (filter keep l))))).
  Proof. apply some_types; assumption. Qed.

  Lemma pile_expand h u cs : forall ts,
    sorted (map (fun q => output q * W + prompt q) (expand (combine (map fst ts) cs))) h
    = pile (kinds_of W F Q u ts) (map Z.to_nat cs) h.
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

  Lemma tokens_sum u ts ns : batch_tokens (kinds_of W F Q u ts) ns
    = total (fun x => Z.of_nat (snd x) * (prompt (fst x) + output (fst x))) (combine (map fst ts) ns).
  Proof.
    revert u ns. induction ts as [|[q n] ts IH]; intros u [|m ns]; try reflexivity.
    cbn [kinds_of batch_tokens map combine total fst snd size]. rewrite IH. reflexivity.
  Qed.

  Lemma charges_sum t u ts ns : charges D t (kinds_of W F Q u ts) ns
    = total (fun x => Z.of_nat (snd x) * cost_with D t (price_of (fst x) t)) (combine (map fst ts) ns).
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
    unfold kinds, completing_at. rewrite charges_sum. fold qs. rewrite (sum_numbers _ (fun q => cost_with D t (price_of q t))).
    unfold to_pay. rewrite <- total_add. apply total_ext. intros a _. unfold ends, paid_by. cbv beta.
    destruct (Z.eqb_spec (completion a) t) as [E|], (Z.leb_spec (t + 1) (completion a)),
      (Z.leb_spec t (completion a)); try rewrite E; lia.
  Qed.

  Lemma proper_kinds : proper W kinds.
  Proof.
    intros k. assert (H : forall ts u, (forall x, In x ts -> In (fst x) qs) -> In k (kinds_of W F Q u ts) ->
        code k / W + code k mod W = size k /\ 1 <= size k).
    { induction ts as [|[q n] ts IH]; intros u Hts Hk; [destruct Hk|]. destruct Hk as [<-|Hk].
      - destruct (Hqs q) as [Hp Ho]; [apply (Hts (q, n)); left; reflexivity|]. cbn [code size].
        rewrite Z.div_add_l, (Z.div_small (prompt q) W) by lia.
        rewrite Z.add_comm with (n := output q * W), Z.mod_add, Z.mod_small by lia. lia.
      - apply (IH _ (fun x Hx => Hts x (or_intror Hx)) Hk). }
    apply H, in_types.
  Qed.

  Lemma sizes k : In k kinds -> 1 <= size k.
  Proof. apply proper_kinds. Qed.

  (* --- Costs-to-go --- *)

  Context (Hslack : forall a, In a l -> paid_by a <= z).

  Lemma no_dear t k n : In (k, n) (combine kinds (completing_at t)) -> z < charge D k t -> n = O.
  Proof.
    intros Hk Hdear.
    assert (H : forall ts u, In (k, n) (combine (kinds_of W F Q u ts)
        (map (fun q => Z.to_nat (count q (map of (filter (fun a => ends a t) l)))) (map fst ts))) ->
        exists q, charge D k t = cost_with D t (price_of q t) /\ n = Z.to_nat (count q (map of (filter (fun a => ends a t) l))) /\ In q (map fst ts)).
    { induction ts as [|[q m] ts IH]; intros u H; [destruct H|]. cbn [kinds_of map combine fst] in H.
      destruct H as [H|H]; [inversion H; subst; exists q; split; [reflexivity|simpl; auto]|].
      destruct (IH _ H) as (q' & H1 & H2 & H3). exists q'. simpl. auto. }
    destruct (H types 1 Hk) as (q & Hq & -> & Hqin). clear H.
    assert (Hnone : count q (map of (filter (fun a => ends a t) l)) = 0); [|rewrite Hnone; reflexivity].
    unfold count. rewrite total_map, total_filter. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
    intros a Ha. unfold ends. destruct (Z.eqb_spec (completion a) t) as [E|]; [|reflexivity].
    destruct (same q (of a)) eqn:Es; [|reflexivity]. exfalso.
    apply same_eq in Es; [|apply Hzero, Hqin|apply Hzero, Hin, Ha]. specialize (Hslack a Ha).
    unfold paid_by in Hslack. rewrite E, <- Es in Hslack. lia.
  Qed.

  Context (HD : 1 <= D) (Hprice : forall a, In a l -> price_of (of a) (completion a) <> None).

  Lemma most_of_ge x duals : In x duals -> x <= most_of duals.
  Proof.
    induction duals as [|y [|y' rest] IH]; intros H; [destruct H|destruct H as [->|[]]; cbn; lia|].
    change (most_of (y :: y' :: rest)) with (Z.max y (most_of (y' :: rest))).
    destruct H as [->|H]; [lia|]. specialize (IH H). lia.
  Qed.

  Lemma dual_in q : In q qs -> In (most_of (map snd (steps_of F q))) (map dual kinds).
  Proof.
    assert (H : forall ts u, In q (map fst ts) ->
        In (most_of (map snd (steps_of F q))) (map dual (kinds_of W F Q u ts))); [|apply H].
    induction ts as [|[q' n] ts IH]; intros u H; [destruct H|]. cbn [map kinds_of fst dual] in *.
    destruct H as [->|H]; [left; reflexivity|right; apply IH, H].
  Qed.

  Lemma kind_of q : In q qs -> exists k, In k kinds /\ code k = output q * W + prompt q
    /\ dual k = most_of (map snd (steps_of F q)).
  Proof.
    assert (H : forall ts u, In q (map fst ts) -> exists k, In k (kinds_of W F Q u ts) /\ code k = output q * W + prompt q
      /\ dual k = most_of (map snd (steps_of F q))); [|apply H].
    induction ts as [|[q' n] ts IH]; intros u H; [destruct H|]. cbn [map kinds_of fst] in *. destruct H as [->|H].
    - eexists. split; [left; reflexivity|]. auto.
    - destruct (IH (u * (n + 1)) H) as (k & H1 & H2). exists k. split; [right; exact H1|exact H2].
  Qed.

  Lemma completes_in_time a k : In a l -> dual k = most_of (map snd (steps_of F (of a))) -> completion a <= last_completion D z k.
  Proof.
    intros Ha Hk. specialize (Hslack a Ha) as Hs. unfold paid_by in Hs.
    destruct (price_of (of a) (completion a)) as [p|] eqn:Ep; [|destruct (Hprice a Ha Ep)]. cbn [cost_with] in Hs.
    assert (Hp : p <= dual k).
    { rewrite Hk. apply best_by_in in Ep as (step & Hstep & <- & _). apply most_of_ge, in_map, Hstep. }
    apply Z.div_le_lower_bound; lia.
  Qed.

  (* What completes at a time may do so then. *)
  Lemma soon t k n : In (k, n) (combine kinds (completing_at t)) -> n <> O -> t <= last_completion D z k.
  Proof.
    intros Hk Hn.
    assert (H : forall ts u, In (k, n) (combine (kinds_of W F Q u ts)
        (map (fun q => Z.to_nat (count q (map of (filter (fun a => ends a t) l)))) (map fst ts))) ->
        exists q, dual k = most_of (map snd (steps_of F q)) /\ n = Z.to_nat (count q (map of (filter (fun a => ends a t) l))) /\ In q (map fst ts)).
    { induction ts as [|[q m] ts IH]; intros u H; [destruct H|]. cbn [kinds_of map combine fst] in H.
      destruct H as [H|H]; [inversion H; subst; exists q; split; [reflexivity|simpl; auto]|].
      destruct (IH _ H) as (q' & H1 & H2 & H3). exists q'. simpl. auto. }
    destruct (H types 1 Hk) as (q & Hdual & -> & Hqin). clear H.
    destruct (existsb (fun a => ends a t && same q (of a)) l) eqn:E.
    - apply existsb_exists in E as (a & Ha & E). apply andb_true_iff in E as [Et Es].
      apply same_eq in Es; [|apply Hzero, Hqin|apply Hzero, Hin, Ha]. subst q.
      unfold ends in Et. replace t with (completion a) by lia. apply completes_in_time; assumption.
    - exfalso. apply Hn. assert (Hnone : count q (map of (filter (fun a => ends a t) l)) = 0); [|rewrite Hnone; reflexivity].
      unfold count. rewrite total_map, total_filter. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
      intros a Ha. destruct (ends a t) eqn:Et; [|reflexivity]. destruct (same q (of a)) eqn:Es; [|reflexivity]. exfalso.
      assert (existsb (fun a => ends a t && same q (of a)) l = true); [|congruence].
      apply existsb_exists. exists a. rewrite Et, Es. auto.
  Qed.

  Section Tables.
  Context (top : Z) (lates bounds : vector Z) (N0 : BatchGraph.numbers_of_batches) (n0 : Z) (G : batch_graph)
    (HG : graph_of M W D z top kinds lates bounds N0 n0 = Some G).
  Let late_of := late_of N0 G.
  Let entry_of := batch_entry N0.

  (* A table has the batch of a time, which may be there then, and those between its completions. *)
  Definition describes (t : Z) (T : batch_table) : Prop :=
    1 <= t <= late_of (remaining t) /\ t <= late_of (batch t) /\ entry_of T (batch t) (to_pay t) /\
    forall ns, Forall2 le ns (completing_at t) ->
      entry_of T (pile kinds ns (remaining t)) (to_pay (t + 1) + charges D t kinds ns).

  Lemma tokens_le ks ns ns' : (forall k, In k ks -> 1 <= size k) -> Forall2 le ns ns' -> batch_tokens ks ns <= batch_tokens ks ns'.
  Proof.
    intros Hk H. revert ks Hk. induction H as [|n n' ns ns' Hn H IH]; intros [|k ks] Hk; cbn [batch_tokens]; try lia.
    specialize (IH ks (fun x Hx => Hk x (or_intror Hx))). specialize (Hk k (or_introl eq_refl)). nia.
  Qed.

  Lemma piles_fit t ns : Forall2 le ns (completing_at t) -> tokens_of W (remaining t) + batch_tokens kinds ns <= M.
  Proof.
    intros Hns. pose proof (tokens_le kinds _ _ sizes Hns). pose proof (tokens_at t). specialize (Hfits t).
    rewrite tokens_remaining. lia.
  Qed.

  Lemma soon_less t ns : Forall2 le ns (completing_at t) -> forall k n, In (k, n) (combine kinds ns) -> n <> O ->
    t <= last_completion D z k.
  Proof.
    intros Hns k n Hk Hn.
    assert (Hmore : exists n', In (k, n') (combine kinds (completing_at t)) /\ (n <= n')%nat); [|destruct Hmore as (n' & H1 & H2);
      apply (soon t k n' H1); lia].
    clear -Hns Hk. revert Hk. generalize kinds as ks. induction Hns as [|m m' ns ns' Hm Hns IH]; intros [|k' ks] Hk;
      try (destruct Hk; fail). cbn [combine] in *. destruct Hk as [Hk|Hk].
    - inversion Hk. subst. exists m'. split; [left; reflexivity|exact Hm].
    - destruct (IH ks Hk) as (n' & H1 & H2). exists n'. split; [right; exact H1|exact H2].
  Qed.

  Lemma table_describes t T : 1 <= t -> t + 1 <= late_of (batch (t + 1)) -> entry_of T (batch (t + 1)) (to_pay (t + 1)) ->
    describes t (table_before D z kinds G t T).
  Proof.
    intros Ht Hlate Hentry.
    assert (Hrem : 1 <= t <= late_of (remaining t)).
    { split; [exact Ht|]. rewrite <- before_batch. apply (late_before _ _ _ _ _ _ _ _ _ _ _ HG); [lia|assumption]. }
    assert (Hafter : entry_of (table_before D z kinds G t T) (remaining t) (to_pay (t + 1))).
    { rewrite <- before_batch in Hrem |- *. eapply entry_before; [exact HG|exact Hrem|exact Hentry]. }
    assert (Hrefl : Forall2 le (completing_at t) (completing_at t)).
    { generalize (completing_at t). intros ns. induction ns; constructor; auto. }
    assert (Hall : forall ns, Forall2 le ns (completing_at t) ->
        entry_of (table_before D z kinds G t T) (pile kinds ns (remaining t)) (to_pay (t + 1) + charges D t kinds ns)).
    { intros ns Hns.
      eapply (entry_pile M W D z top kinds lates bounds N0 n0 G HG proper_kinds); [exact Hafter|exact (eq_refl : kinds = [] ++ kinds)|
        apply piles_fit, Hns|exact Hrem|apply soon_less, Hns|].
      intros k n Hk Hdear.
      assert (Hmore : exists n', In (k, n') (combine kinds (completing_at t)) /\ (n <= n')%nat).
      { clear -Hns Hk. revert Hk. generalize kinds as ks. induction Hns as [|m m' ns ns' Hm Hns IH]; intros [|k' ks] Hk;
          try (destruct Hk; fail). cbn [combine] in *. destruct Hk as [Hk|Hk].
        - inversion Hk. subst. exists m'. split; [left; reflexivity|exact Hm].
        - destruct (IH ks Hk) as (n' & H1 & H2). exists n'. split; [right; exact H1|exact H2]. }
      destruct Hmore as (n' & Hn' & Hnn). rewrite (no_dear t k n' Hn' Hdear) in Hnn. lia. }
    split; [exact Hrem|]. split; [|split; [|exact Hall]].
    - rewrite batch_pile. eapply (late_pile M W D z top kinds lates bounds N0 n0 G HG proper_kinds);
        [exact Hrem|exact (eq_refl : kinds = [] ++ kinds)|apply piles_fit, Hrefl|apply soon_less, Hrefl].
    - specialize (Hall _ Hrefl). rewrite <- batch_pile in Hall. pose proof (charges_at t).
      replace (to_pay t) with (to_pay (t + 1) + charges D t kinds (completing_at t)) by lia. exact Hall.
  Qed.

  (* Tables of times t, t + 1, ..., T. *)
  Fixpoint describe (T t : Z) (all : list batch_table) : Prop :=
    match all with [] => t = T + 1 | x :: rest => describes t x /\ describe T (t + 1) rest end.

  Lemma tables_spec T t S later all S1 :
    batch_tables D z kinds G t S later = (all, S1) ->
    Z.of_nat t + 1 <= late_of (batch (Z.of_nat t + 1)) -> entry_of S (batch (Z.of_nat t + 1)) (to_pay (Z.of_nat t + 1)) ->
    describe T (Z.of_nat t + 1) later ->
    describe T 1 all /\ entry_of S1 (batch 1) (to_pay 1).
  Proof.
    revert S later. induction t as [|t IH]; intros S later E Htop Hentry Hlater; cbn [batch_tables] in E.
    - inversion E. subst. auto.
    - set (S' := table_before D z kinds G (Z.of_nat (Datatypes.S t)) S) in *.
      pose proof (table_describes (Z.of_nat (Datatypes.S t)) S ltac:(lia) Htop Hentry) as Hdesc. fold S' in Hdesc.
      replace (Z.of_nat (Datatypes.S t)) with (Z.of_nat t + 1) in Hdesc by lia.
      apply (IH S' (S' :: later) E); [apply Hdesc|apply Hdesc|]. cbn [describe]. split; [exact Hdesc|].
      replace (Z.of_nat t + 1 + 1) with (Z.of_nat (Datatypes.S t) + 1) by lia. exact Hlater.
  Qed.

  End Tables.

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

  Lemma costs_to_go_spec V all G : costs_to_go M D z kinds = Some (V, (all, G)) ->
    V <= to_pay 1 /\ exists top lates bounds N0 n0 T, graph_of M W D z top kinds lates bounds N0 n0 = Some G /\
      describe N0 G T 1 all /\ forall a, In a l -> completion a <= T.
  Proof.
    unfold costs_to_go. fold W. set (last := (most_of (map dual kinds) + z) / D).
    destruct (_ <=? max_path_cost); [|discriminate].
    set (top := Z.max 0 last + 1). destruct (some_graph M W D z top kinds) as [G'|] eqn:HG; [|discriminate].
    apply some_graph_spec in HG as (N0 & n0 & lates & bounds & HG).
    destruct (batch_tables D z kinds G' (Z.to_nat last) _ []) as [all' S1] eqn:E.
    intros H. inversion H. subst all' G'. clear H.
    set (T := Z.of_nat (Z.to_nat last)).
    assert (Hlast : forall a, In a l -> completion a <= T).
    { intros a Ha. destruct (kind_of _ (Hin a Ha)) as (k & Hk & _ & Hdual).
      pose proof (completes_in_time a k Ha Hdual) as Hby. unfold last_completion in Hby.
      assert (completion a <= last); [|lia]. eapply Z.le_trans; [exact Hby|]. apply Z.div_le_mono; [lia|].
      apply Z.add_le_mono_r, most_of_ge, in_map, Hk. }
    destruct (none_left (T + 1)) as (Hnil & Hnothing & _ & _); [intros a Ha; specialize (Hlast a Ha); lia|].
    destruct (graph_root _ _ _ _ _ _ _ _ _ _ _ HG) as (Hroot & _ & Hlates).
    destruct (tables_spec top lates bounds N0 n0 G HG T _ _ _ _ _ E) as [Hdesc Hfirst].
    { fold T. rewrite Hnil. unfold BatchGraph.late_of. rewrite Hroot. unfold top in Hlates. lia. }
    { fold T. rewrite Hnil, Hnothing. exists (root G). split; [exact Hroot|]. unfold rest_of.
      rewrite at_tabulate by (eapply entry_range; [exact HG|exact Hroot]). rewrite Z.eqb_refl. lia. }
    { reflexivity. }
    split; [|exists top, lates, bounds, N0, n0, T; split; [exact HG|split; [exact Hdesc|exact Hlast]]].
    destruct Hfirst as (i & Hi & Hle).
    destruct (batch_links _ _ _ _ _ _ _ _ _ _ _ HG _ i Hi) as (_ & _ & [_ Hall] & _).
    replace (before W (batch 1)) with (@nil Z) in Hall.
    - destruct (Hall _ Hroot) as (_ & Hnext & _). eapply Z.le_trans; [apply least_next_spec, Hnext|exact Hle].
    - change 1 with (0 + 1). rewrite before_batch. unfold remaining.
      replace (filter (fun a => batch_held a 0) l) with (@nil attempt); [reflexivity|].
      clear -Hvalid. induction l as [|a k IH]; [reflexivity|]. cbn [filter].
      destruct (Hvalid a (or_introl eq_refl)) as [_ Hs]. unfold batch_held at 1.
      replace (start a <? 0) with false by lia. cbn [andb]. apply IH. intros x Hx. apply Hvalid. simpl. auto.
  Qed.

  (* --- The search --- *)

  Definition left (t : Z) : Z := encode kinds (batch_numbers (fun a => t <=? completion a)).
  Definition left_at (t : Z) : list nat := batch_numbers (fun a => t <=? completion a).

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
    assert (H : forall ts u, encode (kinds_of W F Q u ts)
          (map (fun q => Z.to_nat (count q (map of (filter keep l)))) (map fst ts))
        = encode (kinds_of W F Q u ts) (map (fun q => Z.to_nat (count q (map of (filter f l)))) (map fst ts))
        + encode (kinds_of W F Q u ts) (map (fun q => Z.to_nat (count q (map of (filter g l)))) (map fst ts)));
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
        0 <= encode (kinds_of W F Q u ts)
          (map (fun q => Z.to_nat (count q (map of (filter (fun a => t <=? completion a) l)))) (map fst ts)) /\
        (In (of a) (map fst ts) -> 0 < encode (kinds_of W F Q u ts)
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
    - assert (H : forall ts u, encode (kinds_of W F Q u ts)
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
    assert (H : forall ts u, (forall x, In x ts -> In x types) -> enough (kinds_of W F Q u ts)
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

  Lemma placed_kinds ts u : placed_batch u (kinds_of W F Q u ts).
  Proof. revert u. induction ts as [|[q n] ts IH]; intros u; [exact I|]. split; [reflexivity|apply IH]. Qed.

  Section Search.
  Context (top : Z) (lates bounds : vector Z) (N0 : BatchGraph.numbers_of_batches) (n0 : Z) (G : batch_graph)
    (HG : graph_of M W D z top kinds lates bounds N0 n0 = Some G).

  Lemma paid_from t g T h : forall ks ns,
    (forall ns', Forall2 le ns' ns -> batch_entry N0 T (pile ks ns' h) (g + charges D t ks ns')) ->
    paid_batches D N0 t T g ks ns h.
  Proof.
    induction ks as [|k ks IH]; intros [|n ns] H; cbn [paid_batches]; auto. split.
    - intros j Hj. specialize (H (j :: ns)). cbn [pile charges] in H. rewrite <- Z.add_assoc. apply H.
      constructor; [lia|]. clear. induction ns; constructor; auto.
    - apply IH. intros ns' Hns'. specialize (H (O :: ns') ltac:(constructor; [lia|exact Hns'])).
      cbn [pile adds charges] in H. replace (g + charges D t ks ns')
        with (g + (Z.of_nat 0 * charge D k t + charges D t ks ns')) by lia. exact H.
  Qed.

  Lemma batch_busy A t : busy_after A l -> A + 1 <= t -> (exists a, In a l /\ t <= completion a) -> batch t <> [].
  Proof.
    intros Hbusy Ht Hlater. destruct (Hbusy t Ht Hlater) as (a & Ha & Hrun). unfold batch.
    assert (H : In a (filter (fun a => runs a t) l)) by (apply filter_In; auto).
    destruct (filter (fun a => runs a t) l) as [|b k]; [destruct H|]. cbn [map sorted fold_right].
    intros E. apply (f_equal (@length Z)) in E. rewrite insert_length in E. discriminate.
  Qed.

  (* What has been paid before the completions of a time, in the search. *)
  Context (paid : Z -> Z) (Hpaid : forall t, 1 <= t -> paid t + dues D t kinds (completing_at t) (left_at t) = paid (t + 1))
    (Hpay : forall t, 1 <= t -> pay_enough D t kinds (completing_at t) (left_at t)).

  Lemma search_finds A X limit T : busy_after A l -> (forall t, 1 <= t -> paid t + to_pay t <= X) ->
    (forall a, In a l -> completion a <= T) -> forall later t N n, 1 <= t -> describe N0 G T t later ->
    (exists a, In a l /\ t <= completion a) -> node_at N0 N (remaining (t - 1)) (left t) (paid t) ->
    none_found D z X kinds G A limit t later N n = false.
  Proof.
    intros Hbusy HX HT. induction later as [|x later IH]; intros t N n Ht Hdesc (b & Hb & Hbt) Hnode;
      cbn [describe none_found] in *.
    - specialize (HT b Hb). lia.
    - destruct Hdesc as [(Hrem & Hlate & Hentry & Hbetween) Hdesc].
      set (N' := nodes_after D z X kinds G (t <=? A) t x N).
      assert (Hadv : node_at N0 N' (batch t) (left t) (paid t)).
      { eapply (advanced_spec M W D z top kinds lates bounds N0 n0 G HG) with (g := to_pay t).
        - replace t with (t - 1 + 1) at 1 by lia. rewrite before_batch. exact Hnode.
        - exact Hentry.
        - destruct (Z.leb_spec t A); [left; reflexivity|right]. apply (batch_busy A); [exact Hbusy|lia|eauto].
        - apply (left_positive t b Hb Hbt).
        - apply HX, Ht.
        - split; [lia|exact Hlate]. }
      assert (Hrefl : Forall2 le (completing_at t) (completing_at t)).
      { generalize (completing_at t). intros ns. induction ns; constructor; auto. }
      assert (HN' : node_at N0 N' (remaining t) (left (t + 1)) (paid (t + 1))).
      { rewrite <- left_step, <- Hpaid by exact Ht. rewrite <- (Z.mul_1_l (encode kinds (completing_at t))).
        rewrite batch_pile in Hadv.
        eapply (completions_spec M W D z top kinds lates bounds N0 n0 G HG proper_kinds)
          with (g := to_pay (t + 1)) (first := []) (ds := left_at t) (low := 0).
        - reflexivity.
        - apply placed_kinds.
        - lia.
        - apply enough_at.
        - unfold left, left_at. lia.
        - apply piles_fit, Hrefl.
        - exact Hadv.
        - apply paid_from, Hbetween.
        - apply Hpay, Ht.
        - rewrite Hpaid by exact Ht. apply HX. lia.
        - apply no_dear.
        - exact Hrem.
        - apply soon_less, Hrefl. }
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
        destruct (none_left (t + 1) Hnone) as (_ & Hzero' & _ & Hempty).
        replace (t + 1 - 1) with t in Hempty by lia. rewrite Hempty, (left_none _ Hnone) in HN'.
        rewrite (found_spec M W D z top kinds lates bounds N0 n0 G HG X N' (paid (t + 1)) HN'); [reflexivity|].
        specialize (HX (t + 1) ltac:(lia)). lia.
  Qed.
  End Search.
End Schedule.

(* The cheapest path without completions that cost more than 0 costs no more than any schedule. *)
Lemma cheapest_below M D z F Q types l V all G :
  distinct (map fst types) = true -> at_once (map fst types) ->
  (forall q, In q (map fst types) -> 0 <= prompt q < M + 1 /\ 1 <= output q) ->
  (forall a, In a l -> valid a) -> fits M l -> (forall a, In a l -> In (of a) (map fst types)) ->
  (forall a, In a l -> price_of F (of a) (completion a) <> None) ->
  0 <= z -> 1 <= D -> costs_to_go M D z (kinds_of (M + 1) F Q 1 types) = Some (V, (all, G)) ->
  V <= total (fun a => Z.min 0 (paid_by D F a)) l.
Proof.
  intros Hdist Hzero Hqs Hvalid Hfits Hin Hprice Hz HD E.
  set (l0 := filter (fun a => paid_by D F a <=? 0) l).
  assert (Hl0 : forall a, In a l0 -> In a l /\ paid_by D F a <= 0).
  { intros a Ha. apply filter_In in Ha as [Ha Hle]. split; [exact Ha|lia]. }
  destruct (costs_to_go_spec M D z F Q types l0) with (V := V) (all := all) (G := G) as [HV _]; auto.
  - intros a Ha. apply Hvalid, Hl0, Ha.
  - intros r. eapply Z.le_trans; [|apply (Hfits r)]. unfold memory, l0. rewrite total_filter. apply total_le.
    intros a Ha. pose proof (use_nonneg a r (Hvalid a Ha)). destruct (_ <=? 0); lia.
  - intros a Ha. apply Hin, Hl0, Ha.
  - intros a Ha. destruct (Hl0 a Ha). lia.
  - intros a Ha. apply Hprice, Hl0, Ha.
  - eapply Z.le_trans; [exact HV|]. unfold to_pay, l0. rewrite total_filter. apply total_le. intros a Ha.
    destruct (Hvalid a Ha) as [[_ Ho] Hs]. replace (1 <=? completion a) with true by (unfold completion; lia).
    destruct (Z.leb_spec (paid_by D F a) 0); lia.
Qed.

Lemma each_below D F l V X a : V <= total (fun a => Z.min 0 (paid_by D F a)) l ->
  total (paid_by D F) l <= X -> In a l -> paid_by D F a <= Z.max 0 (X - V).
Proof.
  intros HV HX Ha. destruct (in_split a l Ha) as (l1 & l2 & ->). rewrite total_app in *. cbn [total] in *.
  assert (H : forall k, total (fun a => Z.min 0 (paid_by D F a)) k <= total (paid_by D F) k).
  { intros k. apply total_le. intros x _. lia. }
  pose proof (H l1). pose proof (H l2). lia.
Qed.

(* --- Queues --- *)

Lemma by_left_spec waiting : fst (by_left waiting) = Z.of_nat (length waiting) /\
  forall m, 1 <= m <= Z.of_nat (length waiting) ->
  PositiveMap.find (Z.to_pos m) (snd (by_left waiting)) = nth_error waiting (length waiting - Z.to_nat m).
Proof.
  induction waiting as [|x waiting [IH1 IH2]]; cbn [by_left fold_right length].
  - split; [reflexivity|]. cbn. lia.
  - fold (by_left waiting). cbn [fst snd]. split; [lia|]. intros m Hm. rewrite IH1.
    destruct (Z.eq_dec m (Z.of_nat (length waiting) + 1)) as [->|Hne].
    + rewrite PositiveMap.gss. replace (S (length waiting) - Z.to_nat (Z.of_nat (length waiting) + 1))%nat with O by lia.
      reflexivity.
    + rewrite PositiveMap.gso by (intros E; apply Hne; apply (f_equal Zpos) in E; rewrite !Z2Pos.id in E by lia; lia).
      rewrite IH2 by lia. replace (S (length waiting) - Z.to_nat m)%nat with (S (length waiting - Z.to_nat m)) by lia.
      reflexivity.
Qed.

Lemma rising_least x waiting : rising_queue (x :: waiting) = true -> forall y, In y waiting -> fst x <= fst y.
Proof.
  revert x. induction waiting as [|y waiting IH]; intros x H z Hz; [destruct Hz|].
  cbn [rising_queue] in H. apply andb_true_iff in H as [H1 H2]. destruct Hz as [<-|Hz]; [lia|].
  specialize (IH y H2 z Hz). lia.
Qed.

(* The first entries are those that are released by a time. *)
Lemma released_by waiting t i x : rising_queue waiting = true ->
  Z.of_nat i < total (fun y => if fst y <=? t then 1 else 0) waiting -> nth_error waiting i = Some x -> fst x <= t.
Proof.
  revert i. induction waiting as [|y waiting IH]; intros i Hrise Hi Hx; [destruct i; discriminate|].
  cbn [total] in Hi. destruct (Z.leb_spec (fst y) t) as [Hy|Hy].
  - destruct i as [|i]; [inversion Hx; subst; exact Hy|]. apply (IH i); [|lia|exact Hx].
    destruct waiting; [reflexivity|]. cbn [rising_queue] in *. apply andb_true_iff in Hrise. apply Hrise.
  - exfalso. rewrite (total_ext _ (fun _ => 0)) in Hi; [rewrite total_const in Hi; lia|].
    intros z Hz. pose proof (rising_least y waiting Hrise z Hz). destruct (Z.leb_spec (fst z) t); lia.
Qed.

Lemma queue_counts types : forall duals q t, of_types types duals = true -> (forall x, In x types -> 0 <= snd x) ->
  total (fun y => if fst y <=? t then 1 else 0) (queue_of types duals q) =
  total (fun x => snd x * (if same q (fst x) && (release (fst x) <=? t) then 1 else 0)) types.
Proof.
  unfold of_types, queue_of. induction types as [|[q0 n] types IH]; intros [|[q1 w] duals] q t Hok Hn;
    cbn [length combine forallb Nat.eqb flat_map total fst snd] in *; try discriminate; [reflexivity|].
  apply andb_true_iff in Hok as [Hlen Hok]. apply andb_true_iff in Hok as [_ Hok].
  rewrite total_app, IH by (rewrite ?Hlen, ?Hok; auto; intros x Hx; apply Hn; right; exact Hx). f_equal.
  specialize (Hn (q0, n) (or_introl eq_refl)). cbn [snd] in Hn. destruct (same q q0); [|cbn; lia].
  rewrite (total_ext _ (fun _ => if release q0 <=? t then 1 else 0)).
  - rewrite total_const, repeat_length, Z2Nat.id by exact Hn. cbn [andb]. lia.
  - intros y Hy. apply repeat_spec in Hy as ->. reflexivity.
Qed.

Lemma queue_length types : forall duals q, of_types types duals = true -> (forall x, In x types -> 0 <= snd x) ->
  Z.of_nat (length (queue_of types duals q)) = total (fun x => snd x * (if same q (fst x) then 1 else 0)) types.
Proof.
  unfold of_types, queue_of. induction types as [|[q0 n] types IH]; intros [|[q1 w] duals] q Hok Hn;
    cbn [length combine forallb Nat.eqb flat_map total fst snd] in *; try discriminate; [reflexivity|].
  apply andb_true_iff in Hok as [Hlen Hok]. apply andb_true_iff in Hok as [_ Hok].
  rewrite app_length, Nat2Z.inj_add, IH by (rewrite ?Hlen, ?Hok; auto; intros x Hx; apply Hn; right; exact Hx). f_equal.
  specialize (Hn (q0, n) (or_introl eq_refl)). cbn [snd] in Hn. destruct (same q q0); [|cbn; lia].
  rewrite repeat_length. lia.
Qed.

Lemma queue_steps types duals q r w : of_types types duals = true -> In (r, w) (queue_of types duals q) ->
  In (r, w) (steps_of (price_steps duals) q).
Proof.
  intros Hok Hin. unfold queue_of in Hin. apply in_flat_map in Hin as ([[q0 n] [q1 w1]] & Hx & Hin). cbn [fst snd] in Hin.
  destruct (same q q0) eqn:Es; [|destruct Hin]. apply repeat_spec in Hin. inversion Hin. subst r w1. clear Hin.
  pose proof (in_combine_r _ _ _ _ Hx) as Hw. unfold of_types in Hok. apply andb_true_iff in Hok as [_ Hok].
  rewrite forallb_forall in Hok. specialize (Hok _ Hx). cbn [fst snd] in Hok.
  apply price_steps_spec in Hw. unfold same in Es, Hok. unfold steps_of in *.
  replace (prompt q) with (prompt q1) by lia. replace (output q) with (output q1) by lia.
  replace (release q0) with (release q1) by lia. exact Hw.
Qed.

Lemma spend_duals c x waiting n : forall m, Z.of_nat n <= m ->
  (forall i, (i < n)%nat -> c (m - Z.of_nat i) = x - dual_left waiting (m - Z.of_nat i)) ->
  spend c m n = Z.of_nat n * x - (last_duals waiting m - last_duals waiting (m - Z.of_nat n)).
Proof.
  induction n as [|n IH]; intros m Hm Hc; cbn [spend].
  - replace (m - Z.of_nat 0) with m by lia. lia.
  - rewrite (IH (m - 1)) by (try lia; intros i Hi; specialize (Hc (S i) ltac:(lia));
      replace (m - 1 - Z.of_nat i) with (m - Z.of_nat (S i)) by lia; exact Hc).
    replace (m - 1 - Z.of_nat n) with (m - Z.of_nat (S n)) by lia.
    specialize (Hc O ltac:(lia)). replace (m - Z.of_nat 0) with m in Hc by lia. rewrite Hc.
    assert (E : last_duals waiting m = last_duals waiting (m - 1) + dual_left waiting m).
    { unfold last_duals. replace (Z.to_nat m) with (S (Z.to_nat (m - 1))) by lia. cbn [sum_below].
      replace (Z.of_nat (Z.to_nat (m - 1)) + 1) with m by lia. reflexivity. }
    lia.
Qed.

(* --- What completions pay in the order of their releases --- *)

Section Released.
  Context (M D : Z) (types duals : list (request * Z)) (l : list attempt).
  Let F := price_steps duals.
  Let Q q := snd (by_left (queue_of types duals q)).
  Let shapes := shapes_of types.
  Let kinds := kinds_of (M + 1) F Q 1 shapes.
  Let l0 := map early l.
  Context (HD : 1 <= D) (Hcounts : forall x, In x types -> 0 <= snd x) (Hok : of_types types duals = true)
    (Hdist : distinct (map fst shapes) = true)
    (Hrise : forall x, In x shapes -> rising_queue (queue_of types duals (fst x)) = true).
  Context (Hvalid : forall a, In a l -> valid a) (Hperm : Permutation (map of l) (expand types)).

  Definition count_of (q : request) (keep : attempt -> bool) : Z := count q (map of (filter keep l0)).

  Lemma count_of_spec q keep :
    count_of q keep = total (fun a => if keep (early a) && same q (of a) then 1 else 0) l.
  Proof.
    unfold count_of, count, l0. rewrite total_map, total_filter, total_map. apply total_ext. intros a _.
    change (same q (of (early a))) with (same q (of a)). destruct (keep (early a)), (same q (of a)); reflexivity.
  Qed.

  Lemma requests_total f : total (fun a => f (of a)) l = total (fun x => snd x * f (fst x)) types.
  Proof. rewrite <- (total_map f of), (total_permutation _ _ _ Hperm). apply total_expand, Hcounts. Qed.

  Lemma all_in_queue q : count_of q (fun _ => true) = Z.of_nat (length (queue_of types duals q)).
  Proof.
    rewrite queue_length by assumption. rewrite count_of_spec.
    rewrite <- (requests_total (fun q' => if same q q' then 1 else 0)). apply total_ext. intros a _. reflexivity.
  Qed.

  (* Who completes at a time when so many are left has a dual no more than the price. *)
  Lemma owed_price q t i : In q (map fst shapes) ->
    let d := count_of q (fun a => t <=? completion a) in
    Z.of_nat i < count_of q (fun a => completion a =? t) -> let m := d - Z.of_nat i in
    exists r w p, PositiveMap.find (Z.to_pos m) (Q q) = Some (r, w) /\ r + output q <= t /\
      best_by (t - output q) (steps_of F q) = Some p /\ w <= p.
  Proof.
    intros Hq d Hi m. set (waiting := queue_of types duals q).
    assert (Hparts : count_of q (fun _ => true) = count_of q (fun a => completion a <? t) + d).
    { unfold d. rewrite !count_of_spec, <- total_add. apply total_ext. intros a _.
      destruct (same q (of a)), (Z.ltb_spec (completion (early a)) t), (Z.leb_spec t (completion (early a))); cbn [andb]; lia. }
    assert (Hends : count_of q (fun a => completion a =? t) <= d).
    { unfold d. rewrite !count_of_spec. apply total_le. intros a _.
      destruct (same q (of a)), (Z.eqb_spec (completion (early a)) t), (Z.leb_spec t (completion (early a))); cbn [andb]; lia. }
    assert (Hearly : count_of q (fun a => completion a <? t) + count_of q (fun a => completion a =? t)
        <= total (fun y => if fst y <=? t - output q then 1 else 0) waiting).
    { unfold waiting. rewrite queue_counts by assumption. rewrite !count_of_spec, <- total_add.
      rewrite <- (requests_total (fun q' => if same q q' && (release q' <=? t - output q) then 1 else 0)).
      apply total_le. intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. destruct (same q (of a)) eqn:Es;
        rewrite ?andb_false_r; cbn [andb]; [|lia].
      assert (Ho : output q = output (of a)) by (unfold same in Es; lia).
      change (completion (early a)) with (completion a). rewrite Ho. unfold completion.
      destruct (Z.ltb_spec (start a + output (of a)) t), (Z.eqb_spec (start a + output (of a)) t),
        (Z.leb_spec (release (of a)) (t - output (of a))); cbn [andb]; lia. }
    rewrite all_in_queue in Hparts. fold waiting in Hparts.
    assert (Hbefore : 0 <= count_of q (fun a => completion a <? t)) by apply count_nonneg.
    assert (Hm : 1 <= m <= Z.of_nat (length waiting)) by (unfold m; lia).
    destruct (by_left_spec waiting) as [_ Hfind]. specialize (Hfind m Hm).
    destruct (nth_error waiting (length waiting - Z.to_nat m)) as [[r w]|] eqn:Ex.
    2:{ apply nth_error_None in Ex. lia. }
    assert (Hr : fst (r, w) <= t - output q).
    { apply (released_by waiting (t - output q) (length waiting - Z.to_nat m)); [|unfold m in *; lia|exact Ex].
      apply in_map_iff in Hq as (x & <- & Hx). apply Hrise, Hx. }
    cbn [fst] in Hr. destruct (best_by_ge (t - output q) (steps_of F q) r w) as (p & Hp & Hle).
    { apply (queue_steps types duals q r w Hok). apply nth_error_In in Ex. exact Ex. }
    { lia. }
    exists r, w, p. repeat split; [exact Hfind|lia|exact Hp|exact Hle].
  Qed.

  Let numbers_at (t : Z) (q : request) : nat := Z.to_nat (count_of q (fun a => completion a =? t)).
  Let left_of (t : Z) (q : request) : nat := Z.to_nat (count_of q (fun a => t <=? completion a)).

  Lemma pay_enough_at t : pay_enough D t kinds (completing_at shapes l0 t) (left_at shapes l0 t).
  Proof.
    change (pay_enough D t (kinds_of (M + 1) F Q 1 shapes) (map (numbers_at t) (map fst shapes)) (map (left_of t) (map fst shapes))).
    assert (H : forall ts u, (forall x, In x ts -> In (fst x) (map fst shapes)) ->
        pay_enough D t (kinds_of (M + 1) F Q u ts) (map (numbers_at t) (map fst ts)) (map (left_of t) (map fst ts)));
      [|apply H; intros x Hx; apply in_map, Hx].
    induction ts as [|[q n] ts IH]; intros u Hts; cbn [kinds_of map pay_enough fst]; [exact I|].
    split; [|apply IH; intros x Hx; apply Hts; right; exact Hx]. intros i Hi.
    pose proof (count_nonneg q (map of (filter (fun a => completion a =? t) l0))) as Hn.
    fold (count_of q (fun a => completion a =? t)) in Hn.
    destruct (owed_price q t i (Hts (q, n) (or_introl eq_refl))) as (r & w & p & Hf & Hr & Hp & Hle).
    { unfold numbers_at in Hi. lia. }
    unfold charge, due, price, owed. cbn [run steps queue]. rewrite Hp.
    unfold left_of. rewrite Z2Nat.id by apply count_nonneg. rewrite Hf.
    destruct (Z.leb_spec (r + output q) t); [|lia]. cbn [cost_with]. lia.
  Qed.

  (* What has been paid before the completions of t. *)
  Definition paid_until (t : Z) : Z :=
    total (fun a => if completion a <? t then D * completion a else 0) l0
    - total (fun x => last_duals (Q (fst x)) (count_of (fst x) (fun _ => true))
        - last_duals (Q (fst x)) (count_of (fst x) (fun a => t <=? completion a))) shapes.

  Lemma paid_step t : paid_until t + dues D t kinds (completing_at shapes l0 t) (left_at shapes l0 t) = paid_until (t + 1).
  Proof.
    change (dues D t kinds (completing_at shapes l0 t) (left_at shapes l0 t))
      with (dues D t (kinds_of (M + 1) F Q 1 shapes) (map (numbers_at t) (map fst shapes)) (map (left_of t) (map fst shapes))).
    assert (Hdues : forall ts u, (forall x, In x ts -> In (fst x) (map fst shapes)) ->
        dues D t (kinds_of (M + 1) F Q u ts) (map (numbers_at t) (map fst ts)) (map (left_of t) (map fst ts))
        = total (fun x => count_of (fst x) (fun a => completion a =? t) * (D * t)
            - (last_duals (Q (fst x)) (count_of (fst x) (fun a => t <=? completion a))
               - last_duals (Q (fst x)) (count_of (fst x) (fun a => t + 1 <=? completion a)))) ts).
    { induction ts as [|[q n] ts IH]; intros u Hts; cbn [kinds_of map dues fst total]; [reflexivity|].
      rewrite IH by (intros x Hx; apply Hts; right; exact Hx). f_equal.
      assert (Hsplit : count_of q (fun a => t <=? completion a) =
          count_of q (fun a => completion a =? t) + count_of q (fun a => t + 1 <=? completion a)).
      { rewrite !count_of_spec, <- total_add. apply total_ext. intros a _.
        destruct (same q (of a)), (Z.leb_spec t (completion (early a))), (Z.eqb_spec (completion (early a)) t),
          (Z.leb_spec (t + 1) (completion (early a))); cbn [andb]; lia. }
      assert (Hn : 0 <= count_of q (fun a => completion a =? t)) by apply count_nonneg.
      assert (Hn' : 0 <= count_of q (fun a => t + 1 <=? completion a)) by apply count_nonneg.
      unfold left_of, numbers_at. rewrite Z2Nat.id by lia.
      rewrite (spend_duals _ (D * t) (Q q)); rewrite ?Z2Nat.id by exact Hn.
      - rewrite Hsplit. do 3 f_equal. lia.
      - lia.
      - intros i Hi. destruct (owed_price q t i (Hts (q, n) (or_introl eq_refl))) as (r & w & p & Hf & Hr & _); [lia|].
        unfold due, owed, dual_left. cbn [run queue]. rewrite Hf. destruct (Z.leb_spec (r + output q) t); [|lia]. reflexivity. }
    rewrite Hdues by (intros x Hx; apply in_map, Hx). unfold paid_until.
    assert (Hsum : total (fun x => count_of (fst x) (fun a => completion a =? t) * (D * t)) shapes
        = total (fun a => if completion a =? t then D * t else 0) l0).
    { pose proof (sum_numbers shapes l0 Hdist) as H.
      destruct (shapes_in types Hcounts) as (Hzero & _ & Hin). fold shapes in Hzero, Hin.
      specialize (H Hzero). specialize (H ltac:(intros a Ha; apply in_map_iff in Ha as (b & <- & Hb);
        apply Hin, (Permutation_in _ Hperm), in_map, Hb)).
      specialize (H (fun a => completion a =? t) (fun _ => D * t)). rewrite <- H.
      change (batch_numbers shapes l0 (fun a => completion a =? t)) with (map (numbers_at t) (map fst shapes)).
      clear. generalize shapes as ts. induction ts as [|[q n] ts IH]; [reflexivity|]. cbn [map combine total fst snd].
      rewrite IH. unfold numbers_at. rewrite Z2Nat.id by apply count_nonneg. reflexivity. }
    assert (Htimes : total (fun a => if completion a <? t then D * completion a else 0) l0
        + total (fun a => if completion a =? t then D * t else 0) l0
        = total (fun a => if completion a <? t + 1 then D * completion a else 0) l0).
    { rewrite <- total_add. apply total_ext. intros a _.
      destruct (Z.ltb_spec (completion a) t), (Z.eqb_spec (completion a) t), (Z.ltb_spec (completion a) (t + 1)); subst; lia. }
    rewrite <- Htimes, <- Hsum.
    assert (Hmore : forall f g h : request * Z -> Z, total f shapes - total g shapes
        = total (fun x => f x - g x) shapes).
    { intros f g _. generalize shapes as ts. induction ts as [|x ts IH]; cbn [total]; lia. }
    rewrite <- (Hmore _ (fun x => last_duals (Q (fst x)) (count_of (fst x) (fun a => t <=? completion a))
      - last_duals (Q (fst x)) (count_of (fst x) (fun a => t + 1 <=? completion a))) (fun _ => 0)).
    assert (Hleft : total (fun x => last_duals (Q (fst x)) (count_of (fst x) (fun _ => true))
          - last_duals (Q (fst x)) (count_of (fst x) (fun a => t <=? completion a))) shapes
        + total (fun x => last_duals (Q (fst x)) (count_of (fst x) (fun a => t <=? completion a))
          - last_duals (Q (fst x)) (count_of (fst x) (fun a => t + 1 <=? completion a))) shapes
        = total (fun x => last_duals (Q (fst x)) (count_of (fst x) (fun _ => true))
          - last_duals (Q (fst x)) (count_of (fst x) (fun a => t + 1 <=? completion a))) shapes).
    { rewrite <- total_add. apply total_ext. intros. lia. }
    lia.
  Qed.

  Lemma count_shape x : In x shapes -> count_of (fst x) (fun _ => true) = snd x.
  Proof.
    intros Hx. destruct (shapes_of_spec types Hcounts) as [Hp Hn]. fold shapes in Hp, Hn.
    destruct (shapes_in types Hcounts) as (Hzero & _). fold shapes in Hzero.
    pose proof (count_expand (map fst shapes) shapes Hdist Hzero Hn eq_refl) as H.
    assert (E : count_of (fst x) (fun _ => true) = count (fst x) (expand shapes)).
    { rewrite <- (counts_permutation _ _ _ Hp), count_at_zero, <- (counts_permutation _ _ _ Hperm), count_of_spec.
      unfold count. rewrite total_map. reflexivity. }
    rewrite E. unfold counts_of in H. rewrite map_map in H. clear -H Hx. revert H Hx. generalize (expand shapes) as r.
    intros r. induction shapes as [|y ts IH]; intros H Hx; [destruct Hx|]. cbn [map] in H. injection H as H1 H2.
    destruct Hx as [<-|Hx]; [exact H1|apply IH; assumption].
  Qed.

  Definition queue_value : Z := total (fun k => last_duals (queue k) (radix k - 1)) kinds.

  Lemma value_shapes : queue_value = total (fun x => last_duals (Q (fst x)) (snd x)) shapes.
  Proof.
    unfold queue_value, kinds.
    assert (H : forall ts u, total (fun k => last_duals (queue k) (radix k - 1)) (kinds_of (M + 1) F Q u ts)
        = total (fun x => last_duals (Q (fst x)) (snd x)) ts); [|apply H].
    induction ts as [|[q n] ts IH]; intros u; [reflexivity|]. cbn [kinds_of total queue radix fst snd].
    rewrite IH. replace (n + 1 - 1) with n by lia. reflexivity.
  Qed.

  (* No more than what all completions pay. *)
  Lemma paid_below t : 1 <= t -> paid_until t + to_pay D F l0 t <= D * completions l0 - queue_value.
  Proof.
    intros Ht. destruct (shapes_in types Hcounts) as (Hzero & _ & Hin). fold shapes in Hzero, Hin.
    assert (Hin0 : forall a, In a l0 -> In (of a) (map fst shapes)).
    { intros a Ha. apply in_map_iff in Ha as (b & <- & Hb). apply Hin, (Permutation_in _ Hperm), in_map, Hb. }
    assert (Hnext : forall n, paid_until t + to_pay D F l0 t <= paid_until (t + Z.of_nat n) + to_pay D F l0 (t + Z.of_nat n)).
    { induction n as [|n IH]; [rewrite Z.add_0_r; lia|]. eapply Z.le_trans; [exact IH|].
      replace (t + Z.of_nat (S n)) with (t + Z.of_nat n + 1) by lia. rewrite <- paid_step.
      pose proof (charges_at M D F Q shapes l0 Hdist Hzero Hin0 (t + Z.of_nat n)) as Hcharges. fold kinds in Hcharges.
      pose proof (dues_least D (t + Z.of_nat n) kinds _ _ (pay_enough_at (t + Z.of_nat n))) as Hless.
      specialize (Hless ltac:(unfold completing_at, left_at, batch_numbers; rewrite !map_length; reflexivity)). lia. }
    destruct (Kvopt.BusyTime.all_complete l0) as (T & HT). eapply Z.le_trans; [apply (Hnext (T + 1)%nat)|].
    set (t' := t + Z.of_nat (T + 1)). assert (Hdone : forall a, In a l0 -> completion a < t').
    { intros a Ha. specialize (HT a Ha). unfold t'. lia. }
    assert (E1 : to_pay D F l0 t' = 0).
    { unfold to_pay. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|]. intros a Ha.
      specialize (Hdone a Ha). destruct (Z.leb_spec t' (completion a)); lia. }
    assert (E2 : paid_until t' = D * completions l0 - queue_value).
    { unfold paid_until. rewrite value_shapes. f_equal.
      - unfold completions. rewrite <- total_scale. apply total_ext. intros a Ha. specialize (Hdone a Ha).
        destruct (Z.ltb_spec (completion a) t'); lia.
      - apply total_ext. intros x Hx. rewrite (count_shape x Hx).
        assert (E : count_of (fst x) (fun a => t' <=? completion a) = 0).
        { rewrite count_of_spec, (total_ext _ (fun _ => 0)); [rewrite total_const; lia|]. intros a Ha.
          specialize (Hdone (early a) (in_map early _ _ Ha)). destruct (Z.leb_spec t' (completion (early a))); [lia|reflexivity]. }
        rewrite E. unfold last_duals at 2. cbn. lia. }
    lia.
  Qed.

  Lemma has_price a : In a l0 -> price_of F (of a) (completion a) <> None.
  Proof.
    intros Ha. apply in_map_iff in Ha as (b & <- & Hb). destruct (Hvalid b Hb) as [_ Hs].
    assert (Hq : In (of b) (expand types)) by (apply (Permutation_in _ Hperm), in_map, Hb).
    apply in_expand in Hq as (n & Hq). destruct (has_dual types duals (of b) n Hok Hq) as (w & Hw).
    apply price_steps_spec in Hw. fold F in Hw. unfold price_of, completion. cbn [early of start at_zero output].
    destruct (best_by_ge (start b + output (of b) - output (of b)) _ _ _ Hw ltac:(lia)) as (p & Hp & _).
    change (steps_of F (at_zero (of b))) with (steps_of F (of b)). congruence.
  Qed.
End Released.

(* The rule "batch-state" of FORMAT.md: whatever the duals are, if the checker returns a number, then every
   schedule of these requests costs at least that. *)
Theorem batch_sound M D duals types low limit result requests l :
  batch_bound M D duals types low limit = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold batch_bound. set (shapes := shapes_of types).
  set (kinds := kinds_of (M + 1) _ _ 1 shapes).
  change (total (fun k => last_duals (queue k) (radix k - 1)) kinds) with (queue_value M types duals).
  set (late := total (fun x => snd x * release (fst x)) types). set (z := if limit =? 0 then 0 else _).
  intros Hresult Hperm Hl.
  destruct ((1 <=? M) && _ && _ && _ && _ && _ && _) eqn:E; [|discriminate].
  apply andb_true_iff in E as [E Hrise]. apply andb_true_iff in E as [E Hdist]. apply andb_true_iff in E as [E Hok].
  apply andb_true_iff in E as [E Htypes]. apply andb_true_iff in E as [E Hsome]. apply andb_true_iff in E as [HM HD].
  rewrite forallb_forall in Htypes, Hrise.
  assert (HD1 : 1 <= D) by lia. assert (Hz : 0 <= z) by (unfold z; destruct (limit =? 0); lia).
  assert (Hcounts : forall x, In x types -> 0 <= snd x) by (intros x Hx; specialize (Htypes x Hx); lia).
  destruct (shapes_in types Hcounts) as (Hzero & Hshape & Hin). fold shapes in Hzero, Hshape, Hin.
  assert (Hqs : forall q, In q (map fst shapes) -> 0 <= prompt q < M + 1 /\ 1 <= output q).
  { intros q Hq. destruct (Hshape q Hq) as (x & Hx & ->). specialize (Htypes x Hx). cbn [at_zero prompt output]. lia. }
  assert (Hlate : forall l, schedule M requests l -> cost l = completions l - late).
  { intros l' (Hof & _). rewrite cost_completions, Hof, (total_permutation _ _ _ Hperm), total_expand by exact Hcounts.
    reflexivity. }
  rewrite (Hlate l Hl).
  destruct (costs_to_go M D z kinds) as [[V [all G]]|] eqn:EV; [|discriminate].
  (* of any schedule, as if all were released at 0 *)
  assert (Hearly : forall l, schedule M requests l ->
      (forall a, In a (map early l) -> valid a) /\ fits M (map early l) /\
      (forall a, In a (map early l) -> In (of a) (map fst shapes)) /\
      (forall a, In a (map early l) -> price_of (price_steps duals) (of a) (completion a) <> None) /\
      (forall t, 1 <= t -> paid_until D types duals l t + to_pay D (price_steps duals) (map early l) t
        <= D * completions l - queue_value M types duals) /\
      paid_until D types duals l 1 = 0).
  { intros l' (Hof & Hvalid & Hfits). rewrite Forall_forall in Hvalid. rewrite <- Hof in Hperm.
    split; [|split; [|split; [|split; [|split]]]].
    - intros a Ha. apply in_map_iff in Ha as (b & <- & Hb). destruct (Hvalid b Hb) as [Hq Hs].
      split; [exact Hq|]. cbn [early of start at_zero release]. lia.
    - intros r. unfold memory. rewrite total_map. apply Hfits.
    - intros a Ha. apply in_map_iff in Ha as (b & <- & Hb). apply Hin, (Permutation_in _ Hperm), in_map, Hb.
    - intros a Ha. apply (has_price types duals l' Hok Hvalid Hperm a Ha).
    - intros t Ht. replace (completions l') with (completions (map early l')) by (unfold completions; rewrite total_map; reflexivity).
      apply (paid_below M D types duals l' Hcounts Hok Hdist Hrise Hvalid Hperm t Ht).
    - assert (Hone : forall b, In b l' -> 1 <= completion b).
      { intros b Hb. destruct (Hvalid b Hb) as [[_ Ho] Hs]. unfold completion. lia. }
      unfold paid_until. rewrite (total_ext _ (fun _ => 0)).
      + rewrite (total_ext _ (fun _ => 0) (shapes_of types)).
        * rewrite !total_const. lia.
        * intros x _. replace (count_of l' (fst x) (fun a => 1 <=? completion a)) with (count_of l' (fst x) (fun _ => true)); [lia|].
          rewrite !count_of_spec. apply total_ext. intros b Hb. specialize (Hone b Hb).
          change (completion (early b)) with (completion b). replace (1 <=? completion b) with true by lia. reflexivity.
      + intros a Ha. apply in_map_iff in Ha as (b & <- & Hb). specialize (Hone b Hb).
        change (completion (early b)) with (completion b). destruct (Z.ltb_spec (completion b) 1); lia. }
  assert (Hall : forall l, schedule M requests l ->
      V <= total (fun a => Z.min 0 (paid_by D (price_steps duals) a)) (map early l) /\
      total (paid_by D (price_steps duals)) (map early l) <= D * completions l - queue_value M types duals).
  { intros l' Hl'. destruct (Hearly l' Hl') as (H1 & H2 & H3 & H4 & H5 & H6). split.
    - apply (cheapest_below M D z (price_steps duals) (fun q => snd (by_left (queue_of types duals q))) shapes _ V all G); auto.
    - specialize (H5 1 ltac:(lia)). rewrite H6 in H5. unfold to_pay in H5.
      rewrite (total_ext _ (paid_by D (price_steps duals))) in H5; [lia|]. intros a Ha. destruct (H1 a Ha) as [[_ Ho] Hs].
      replace (1 <=? completion a) with true by (unfold completion; lia). reflexivity. }
  assert (Hmin : forall k, total (fun a => Z.min 0 (paid_by D (price_steps duals) a)) k <= total (paid_by D (price_steps duals)) k).
  { intros k. apply total_le. intros a _. lia. }
  destruct ((low <=? _) || (limit =? 0)).
  - inversion Hresult. clear Hresult. destruct (Hall l Hl) as [H1 H2]. specialize (Hmin (map early l)). apply Z.max_lub.
    + rewrite <- (total_expand output types Hcounts), <- (total_permutation output _ _ Hperm).
      rewrite <- (Hlate l Hl). unfold cost. destruct Hl as (Hof & Hvalid & _). rewrite Forall_forall in Hvalid.
      rewrite <- Hof, total_map. apply total_le. intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. unfold completion. lia.
    + unfold ceil_div. assert (- completions l <= - (queue_value M types duals + V) / D); [|lia].
      apply Z.div_le_lower_bound; lia.
  - set (X := D * (low + late - 1) - queue_value M types duals) in *.
    destruct (Z.le_gt_cases low (completions l - late)) as [Hdone|Hless].
    { destruct (if X - V <=? z then _ else _) as [[V' [all' G']]|]; [|discriminate].
      destruct (none_found _ _ _ _ _ _ _ _ _ _ _); [|discriminate]. inversion Hresult. subst. exact Hdone. }
    exfalso. set (A := latest (map (fun x => release (fst x)) types)) in *.
    destruct (no_idle_after A M requests l Hl (latest_nonneg _)) as (l' & Hl' & Hbusy & Hle & _).
    { intros q Hq. apply (Permutation_in _ Hperm) in Hq. apply in_expand in Hq as (n & Hq).
      apply latest_ge, in_map_iff. exists (q, n). auto. }
    destruct (Hearly l' Hl') as (Hvalid & Hfits & Hin' & Hprice & Hpaid & Hpaid1). destruct (Hall l' Hl') as [HV HX].
    pose proof Hl' as (Hof & Hv & _). rewrite Forall_forall in Hv. rewrite <- Hof in Hperm.
    assert (HXc : D * completions l' - queue_value M types duals <= X) by (unfold X; nia).
    assert (HXV : 0 <= X - V) by (specialize (Hmin (map early l')); lia).
    set (z' := Z.max z (X - V)) in *.
    assert (Hfound : exists V' all' G', costs_to_go M D z' kinds = Some (V', (all', G')) /\
        none_found D z' X kinds G' A limit 1 all'
          (first_nodes G' (encode kinds (map (fun x => Z.to_nat (snd x)) shapes))) 1 = true).
    { destruct (Z.leb_spec (X - V) z).
      - exists V, all, G. replace z' with z at 1 by lia. split; [exact EV|].
        destruct (none_found _ _ _ _ _ _ _ _ _ _ _); [reflexivity|discriminate].
      - destruct (costs_to_go M D z' kinds) as [[V' [all' G']]|] eqn:E'; [|discriminate].
        exists V', all', G'. split; [reflexivity|].
        destruct (none_found _ _ _ _ _ _ _ _ _ _ _); [reflexivity|discriminate]. }
    destruct Hfound as (V' & all' & G' & E' & Hnone).
    assert (Hslack : forall a, In a (map early l') -> paid_by D (price_steps duals) a <= z').
    { intros a Ha. pose proof (each_below D (price_steps duals) (map early l') V X a HV ltac:(lia) Ha). unfold z'. lia. }
    assert (Hcount : forall x, In x shapes -> count (fst x) (map of (map early l')) = snd x).
    { intros x Hx. rewrite <- (count_shape types l' Hcounts Hdist Hperm x Hx). unfold count_of.
      f_equal. f_equal. clear. induction (map early l') as [|a k IH]; [reflexivity|]. cbn [filter]. rewrite <- IH. reflexivity. }
    set (Q := fun q => snd (by_left (queue_of types duals q))) in *.
    destruct (costs_to_go_spec M D z' (price_steps duals) Q shapes (map early l')) with (V := V') (all := all') (G := G')
      as (_ & top & lates & bounds & N0 & n0 & T & HG & Hdesc & HT); auto.
    match type of Hnone with ?found = true => assert (Hfalse : found = false); [|congruence] end.
    apply (search_finds M D z' (price_steps duals) Q shapes (map early l')) with (top := top) (lates := lates) (bounds := bounds)
      (N0 := N0) (n0 := n0) (T := T) (paid := paid_until D types duals l');
      auto; try lia.
    + intros t _. apply (paid_step M D types duals l' Hcounts Hok Hdist Hrise Hv Hperm).
    + intros t _. apply (pay_enough_at M D types duals l' Hcounts Hok Hrise Hv Hperm).
    + intros r Hr (a & Ha & Hra). apply in_map_iff in Ha as (b & <- & Hb).
      destruct (Hbusy r Hr) as (c & Hc & Hrun); [exists b; split; [exact Hb|exact Hra]|].
      exists (early c). split; [apply in_map, Hc|exact Hrun].
    + intros t Ht. specialize (Hpaid t Ht). lia.
    + (* somebody completes *)
      destruct l' as [|a l'].
      * exfalso. cbn [map] in Hperm. apply Permutation_nil in Hperm.
        assert (total (fun x => snd x) types = 0); [|lia].
        rewrite (total_ext _ (fun x => snd x * 1)) by (intros; lia).
        rewrite <- (total_expand (fun _ => 1) types Hcounts), Hperm. reflexivity.
      * exists (early a). split; [left; reflexivity|]. destruct (Hvalid (early a) (or_introl eq_refl)) as [[_ Ho] Hs].
        unfold completion. lia.
    + destruct (graph_root _ _ _ _ _ _ _ _ _ _ _ HG) as (Hroot & Hn & _).
      pose proof (entry_range _ _ _ _ _ _ _ _ _ _ _ HG _ _ Hroot) as Hrange.
      exists (root G'), 0.
      assert (Hones : forall a, In a (map early l') -> 1 <= completion a /\ 0 <= start a).
      { intros a Ha. destruct (Hvalid a Ha) as [[_ Ho] Hs]. unfold completion. lia. }
      split; [|split; [|rewrite Hpaid1; lia]].
      * unfold remaining. replace (filter (fun a => batch_held a (1 - 1)) (map early l')) with (@nil attempt); [exact Hroot|].
        clear -Hones. induction (map early l') as [|a k IH]; [reflexivity|]. cbn [filter].
        destruct (Hones a (or_introl eq_refl)). unfold batch_held at 1. replace (start a <? 1 - 1) with false by lia.
        cbn [andb]. apply IH. intros x Hx. apply Hones. simpl. auto.
      * unfold nodes_of, first_nodes. cbn [fst snd]. rewrite at_tabulate by lia.
        replace (how_many G' - 1 - (how_many G' - 1 - root G')) with (root G') by lia. rewrite Z.eqb_refl.
        left. f_equal. unfold left, batch_numbers, kinds. f_equal.
        assert (Hfilter : filter (fun a => 1 <=? completion a) (map early l') = map early l').
        { clear -Hones. induction (map early l') as [|a k IH]; [reflexivity|]. cbn [filter].
          destruct (Hones a (or_introl eq_refl)). replace (1 <=? completion a) with true by lia.
          rewrite IH by (intros x Hx; apply Hones; simpl; auto). reflexivity. }
        rewrite Hfilter, map_map. apply map_ext_in. intros x Hx. rewrite (Hcount x Hx). reflexivity.
Qed.
