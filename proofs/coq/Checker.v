(* The checker of certificates: what `check` accepts is true, by `check_sound`.

   It is extracted to the program kvopt-verified (Extract.v).  What a certificate claims is
   `claim`, which speaks of Model.v only. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import EventOrder Model Sums Prices PathCheck Types BusyCheck Exhaustive Blocks BatchState Dominance Upper
  FirstCompletion LinearDuals Propagation.
Import ListNotations.
Open Scope Z_scope.

(* --- Certificates, as FORMAT.md has them ------------------------------------------------- *)

Inductive evidence :=
  | BusyTime (slots : bool)
  | Exhaustive (most : Z)
  | LinearDuals (scale : Z) (nodes : tree)
  | Propagation (scale horizon cutoff : Z) (nodes : domain_tree)
  | AggregateState (scale : Z) (starts : list (Z * list Z)) (duals : list (request * Z))
      (covers : list (Z * list Z)) (moments : list Z)
  | DemandDuals (scale : Z) (duals : list (request * Z))
  | Blocks (scale : Z) (on_memory : list (Z * Z)) (blocks : list (list (request * Z)))
  | BatchState (scale horizon : Z) (duals : list (request * Z)) (nodes : Z)
  | EventOrder (scale : Z) (prices : list node_duals) (nodes : event_tree)
  | Dominance (scale horizon : Z) (sets : list (Z * list (request * Z))) (nodes : Z).

(* The memory; groups of like requests, in their order; the lower bound; the upper bound with
   starts, if there is one; the proof. *)
Record certificate := Certificate {
  memory_size : Z;
  groups : list (request * Z);
  low : Z;
  high : option (Z * list Z);
  proof : evidence
}.

Definition requests (c : certificate) : list request := expand (groups c).

(* Every schedule, with whatever kills, costs at least the lower bound; and the starts are a
   schedule whose cost is the upper bound. *)
Definition claim (c : certificate) : Prop :=
  (forall l killed,
    schedule_with_kills (memory_size c) (requests c) l killed -> low c <= cost l) /\
  match high c with
  | None => True
  | Some (upper, starts) =>
      exists l, schedule (memory_size c) (requests c) l /\ map start l = starts /\ cost l = upper
  end.

(* --- Limits and form: what FORMAT.md asks beyond that (no theorem needs it) --------------- *)

Definition max_tokens : Z := 1000000000.
Definition max_requests : Z := 10000000.
Definition max_time : Z := 1000000000000000.
Definition max_start : Z := 100000000000000000.
Definition max_last : Z := 10000000.
Definition max_number : Z := 10 ^ 40.

Definition within (low high x : Z) : bool := (low <=? x) && (x <=? high).

Definition instance_ok (M : Z) (groups : list (request * Z)) : bool :=
  within 1 max_tokens M
  && forallb (fun x => within 0 (M - 1) (prompt (fst x)) && within 1 (M - prompt (fst x)) (output (fst x))
       && within 0 max_time (release (fst x)) && within 1 max_requests (snd x)) groups
  && within 1 max_requests (total (fun x => snd x) groups).

(* Lists of integers that ascend, in the order of a dictionary, from `last` on. *)
Fixpoint ascend (l : list (list Z)) : bool :=
  match l with
  | x :: (y :: _) as rest =>
      match Keys.Key.order x y with Lt => ascend rest | _ => false end
  | _ => true
  end.

Definition pairs_of (l : list (request * Z)) : list (list Z) :=
  map (fun x => [prompt (fst x); output (fst x)]) l.

Fixpoint equal_lists (l l' : list (list Z)) : bool :=
  match l, l' with
  | [], [] => true
  | x :: r, y :: r' => match Keys.Key.order x y with Eq => equal_lists r r' | _ => false end
  | _, _ => false
  end.

Definition split_ok (types listed : list (request * Z)) (most : Z) : bool :=
  negb (length listed =? 0)%nat && within 0 max_requests most && distinct (map fst listed)
  && forallb (fun x => within 1 max_last (snd x)
       && existsb (fun y => same (fst x) (fst y)) types) listed.

Definition leaf_ok (types : list (request * Z)) (times : list Z) (on_memory : list (Z * Z))
    (on_covers : list (Z * Z * Z)) : bool :=
  let last := latest (map fst on_memory ++ map (fun x => snd (fst x) + 1) on_covers ++ times) in
  let levels := nodup Z.eq_dec (map (fun x => fst (fst x)) on_covers) in
  ascend (map (fun x => [fst x]) on_memory) && forallb (fun x => 1 <=? fst x) on_memory
  && ascend (map (fun x => [fst (fst x); snd (fst x)]) on_covers)
  && forallb (fun x => (1 <=? fst (fst x)) && (0 <=? snd (fst x))) on_covers
  && (last <=? max_last)
  && ((last + 1) * Z.of_nat (length types) * (1 + Z.of_nat (length levels)) <=? 100000000).

(* A family of first-completion rows: heights from 0 rounds to go on, duals that are not below 0, and
   integers between knots.  Families are large by their bends, each with every round of every type. *)
Fixpoint knots_ok (l : list (Z * Z)) : bool :=
  match l with
  | (u, p) :: ((v, q) :: _) as rest => ((q - p) mod (v - u) =? 0) && knots_ok rest
  | _ => true
  end.

Definition family_form (f : family) : bool :=
  negb (length (duals f) =? 0)%nat
  && (fst (hd (1, 0) (heights f)) =? 0)
  && ascend (map (fun x => [fst x]) (heights f)) && forallb (fun x => 0 <=? snd x) (heights f)
  && ascend (map (fun x => [fst x]) (duals f))
  && forallb (fun x => within 1 max_last (fst x) && (0 <=? snd x)) (duals f)
  && (if knots f then knots_ok (duals f) else true).

Definition families_ok (types : list (request * Z)) (families : list family) : bool :=
  (Z.of_nat (length families) <=? 10000)
  && forallb family_form families
  && (total (fun f => Z.of_nat (length (bends f) + length (heights f))) families
        * total (fun x => output (fst x)) types <=? 10000000).

Fixpoint tree_ok (types : list (request * Z)) (times : list Z) (depth : Z) (t : tree) : bool :=
  match t with
  | Leaf on_memory on_covers _ => leaf_ok types times on_memory on_covers
  | LeafWith families on_memory on_covers _ =>
      leaf_ok types times on_memory on_covers && families_ok types families
  | Split listed most few many =>
      (1 <=? depth) && split_ok types listed most
      && tree_ok types (map snd listed ++ times) (depth - 1) few
      && tree_ok types (map snd listed ++ times) (depth - 1) many
  end.

(* Duals of a node below so many splits, none after the horizon. *)
Definition duals_form (H : Z) (types : list (request * Z)) (depth : nat) (own : option node_duals) : bool :=
  match own with
  | None => true
  | Some d =>
      leaf_ok types [] (of_memory d) (of_covers d) && families_ok types (of_families d)
      && (length (of_branch d) =? depth)%nat && forallb (fun p => 0 <=? p) (of_branch d)
      && (latest (map fst (of_memory d) ++ map (fun x => snd (fst x) + 1) (of_covers d)
            ++ flat_map (fun f => map fst (duals f)) (of_families d)) <=? H)
  end.

Fixpoint domain_tree_ok (H : Z) (types : list (request * Z)) (depth : nat) (t : domain_tree) : bool :=
  match t with
  | DomainLeaf own => duals_form H types depth own
  | DomainSplit own q until most few many =>
      duals_form H types depth own && (Z.of_nat depth <? 1000)
      && within 0 max_requests most && within 1 H until && existsb (fun y => same q (fst y)) types
      && domain_tree_ok H types (S depth) few && domain_tree_ok H types (S depth) many
  end.

(* Few enough starts, and requests. *)
Definition domains_ok (H : Z) (types : list (request * Z)) : bool :=
  let n := total (fun x => snd x) types in
  within 1 max_last H && (n * (n + H) <=? 1000000).

Definition paths_ok (M : Z) (types : list (request * Z)) (starts : list (Z * list Z))
    (duals : list (request * Z)) (covers : list (Z * list Z)) (moments : list Z) : bool :=
  let H := Z.of_nat (length moments) in
  let long (x : Z * list Z) := Z.of_nat (length (snd x)) =? H in
  let states := (Z.min (total (fun x => snd x) types) (M / (smallest_prompt types + 1)) + 1) * (M + 1) in
  equal_lists (map (fun x => [fst x]) starts)
    (map (fun s => [s]) (nodup Z.eq_dec (map (fun x => prompt (fst x)) types)))
  && forallb long starts
  && equal_lists (pairs_of duals) (pairs_of types)
  && ascend (map (fun x => [fst x]) covers)
  && forallb (fun x => within 1 max_tokens (fst x) && long x && forallb (fun p => 0 <=? p) (snd x)) covers
  && forallb (fun k => 0 <=? k) moments
  && (states <=? 5000000)
  && ((H + 1) * (states * Z.of_nat (length types + length starts + 2)
        + Z.of_nat (length types * length covers)) <=? 2000000000).

(* Profiles of whole runs are short enough, and few enough wait. *)
Definition profiles_ok (M : Z) (types : list (request * Z)) : bool :=
  (Z.log2 M + 3) * latest (map (fun x => output (fst x)) types) <=? 100000.
Definition search_ok (M : Z) (types : list (request * Z)) (most : Z) : bool :=
  within 0 5000000 most && (total (fun x => snd x) types <=? 1000) && profiles_ok M types.

Definition blocks_ok (types : list (request * Z)) (on_memory : list (Z * Z))
    (blocks : list (list (request * Z))) : bool :=
  leaf_ok types [] on_memory []
  && forallb (fun block => negb (length block =? 0)%nat && ascend (pairs_of block)) blocks
  && (length (concat blocks) =? length types)%nat.

(* Multipliers of rows from 1, rounds and times that are not too late, and not too many requests. *)
Fixpoint events_form (t : event_tree) : bool :=
  match t with
  | EventLeaf rows =>
      forallb (fun x => within 1 max_number (fst x)
        && match snd x with
           | AreaRow e _ => within 0 max_number e
           | CoverRow m e _ => within 1 64 m && within 0 max_number e
           | _ => true
           end) rows
  | AtCompletion _ _ before running after => events_form before && events_form running && events_form after
  | StartBy _ t early late => within 0 max_start t && events_form early && events_form late
  end.
(* Prices are leaves of linear-duals without splits above them; types are shapes. *)
Definition prices_form (types : list (request * Z)) (d : node_duals) : bool :=
  leaf_ok types [] (of_memory d) (of_covers d) && families_ok types (of_families d).
Definition events_ok (scale : Z) (groups types : list (request * Z)) (prices : list node_duals) (nodes : event_tree) : bool :=
  within 1 max_number scale && (total (fun x => snd x) groups <=? 64) && (Z.of_nat (length prices) <=? 1000)
  && forallb (prices_form (shapes_of types)) prices && events_form nodes.

Definition batches_ok (scale horizon : Z) (duals : list (request * Z)) (nodes : Z) :
    bool :=
  within 1 max_number scale && within 1 1000000 horizon && within 0 50000000 nodes
  && forallb (fun x => snd x <=? scale * horizon) duals.

(* Sets of duals begin later and later, the first at time 0. *)
Definition dominance_ok (M scale horizon : Z) (sets : list (Z * list (request * Z))) (nodes : Z) (types : list (request * Z)) : bool :=
  within 1 max_number scale && within 1 1000000 horizon && within 0 20000000 nodes
  && (total (fun x => snd x) types <=? 1000) && profiles_ok M types
  && within 1 100 (Z.of_nat (length sets)) && (fst (hd (1, []) sets) =? 0)
  && ascend (map (fun s => [fst s]) sets) && forallb (fun s => within 0 1000000 (fst s)) sets
  && forallb (fun s => forallb (fun x => within (- max_number) max_number (snd x)) (snd s)) sets.

(* --- The checker ------------------------------------------------------------------------- *)

(* The covers of a level, (level, time, dual), for times 0, 1, .... *)
Fixpoint numbered (level time : Z) (duals : list Z) : list (Z * Z * Z) :=
  match duals with
  | [] => []
  | p :: rest => (level, time, p) :: numbered level (time + 1) rest
  end.

(* Rules that know releases after time 0. *)
Definition knows_releases (p : evidence) : bool :=
  match p with
  | Propagation _ _ _ _ | AggregateState _ _ _ _ _ | Blocks _ _ _ => false
  | _ => true
  end.

(* The lower bound that a proof gives; the second number is that of the states looked at.  In event-order
   the requests are numbered as in the groups, otherwise their types are all that counts. *)
Definition proved (M : Z) (groups types : list (request * Z)) (low : Z) (p : evidence) : option Z * Z :=
  match p with
  | BusyTime slots => (busy_check slots M types, 0)
  | Exhaustive most =>
      if search_ok M types most then
        let (holds, looked_at) := exhaustive_check M types low most in
        (if holds && (looked_at <=? most) then Some low else None, looked_at)
      else (None, 0)
  | LinearDuals scale nodes =>
      (if within 1 max_number scale && tree_ok (shapes_of types) [latest (map (fun x => release (fst x)) types)] 1000 nodes
       then duals_bound M scale types nodes else None, 0)
  | Propagation scale horizon cutoff nodes =>
      (if within 1 max_number scale && within 1 max_number cutoff && domains_ok horizon types
         && domain_tree_ok horizon types 0 nodes
       then domains_bound M scale horizon cutoff types nodes else None, 0)
  | AggregateState scale starts duals covers moments =>
      (if within 1 max_number scale && paths_ok M types starts duals covers moments
       then paths_bound M types
         (PathProof scale starts duals (flat_map (fun x => numbered (fst x) 0 (snd x)) covers) moments)
       else None, 0)
  | DemandDuals scale duals =>
      (if within 1 max_number scale && profiles_ok M types then released_bound M scale duals types else None, 0)
  | Blocks scale on_memory blocks =>
      (if within 1 max_number scale && blocks_ok types on_memory blocks && profiles_ok M types
       then blocks_bound M scale on_memory blocks types else None, 0)
  | BatchState scale horizon duals nodes =>
      (if batches_ok scale horizon duals nodes
       then batch_bound M scale duals types low nodes else None, 0)
  | Dominance scale horizon sets nodes =>
      (if dominance_ok M scale horizon sets nodes types
       then dominance_bound M scale horizon sets types low nodes else None, 0)
  | EventOrder scale prices nodes =>
      (if events_ok scale groups types prices nodes then events_bound M scale prices (expand groups) nodes else None, 0)
  end.

Inductive verdict :=
  | Holds
  | Refused_instance
  | Refused_releases
  | Refused_starts
  | Refused_upper (cost : Z)
  | Refused_order (cost : Z)
  | Refused_proof
  | Refused_low (proved : Z).

Definition upper_check (c : certificate) : verdict :=
  match high c with
  | None => Holds
  | Some (upper, starts) =>
      match schedule_cost (memory_size c) (requests c) starts with
      | None => Refused_starts
      | Some u =>
          if negb (forallb (within 0 max_time) starts) then Refused_starts
          else if negb (upper =? u) then Refused_upper u
          else if u <? low c then Refused_order u
          else Holds
      end
  end.

Definition lower_check (c : certificate) : verdict * Z :=
  if knows_releases (proof c) || forallb (fun x => release (fst x) =? 0) (groups c) then
    let types := types_of (groups c) in
    let (bound, looked_at) := proved (memory_size c) (groups c) types (low c) (proof c) in
    (match bound with
     | None => Refused_proof
     | Some b => if low c <=? b then Holds else Refused_low b
     end, looked_at)
  else (Refused_releases, 0).

(* The verdict on a certificate, and the number of states looked at. *)
Definition check (c : certificate) : verdict * Z :=
  if instance_ok (memory_size c) (groups c) then
    match upper_check c with
    | Holds => lower_check c
    | refused => (refused, 0)
    end
  else (Refused_instance, 0).

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma proved_sound M groups types bound low p looked_at l :
  proved M groups types low p = (Some bound, looked_at) ->
  Permutation (expand groups) (expand types) -> schedule M (expand groups) l -> bound <= cost l.
Proof.
  intros H Hperm Hl. set (requests := expand groups) in *. destruct p as [slots|most|scale nodes|scale horizon cutoff nodes|scale starts duals covers moments|scale duals|
    scale on_memory blocks|scale horizon duals nodes|scale prices nodes|scale horizon sets nodes];
    cbn [proved] in H.
  - inversion H. apply (busy_sound slots M types bound requests l); assumption.
  - destruct (search_ok M types most); [|discriminate].
    destruct (exhaustive_check M types low most) as [holds n] eqn:E.
    destruct holds; cbn [andb] in H; [|discriminate].
    destruct (n <=? most); [|discriminate]. inversion H. subst bound.
    apply (exhaustive_sound M types low most requests l); [rewrite E; reflexivity|assumption|assumption].
  - destruct (_ && _) in H; [|discriminate]. inversion H.
    apply (duals_sound M scale types nodes bound requests l); assumption.
  - destruct (_ && _) in H; [|discriminate]. inversion H.
    apply (domains_sound M scale horizon cutoff types nodes bound requests l); assumption.
  - destruct (_ && _) in H; [|discriminate]. inversion H as [[E E']].
    apply (paths_sound M types _ bound requests l E); assumption.
  - destruct (_ && _) in H; [|discriminate]. inversion H as [[E E']].
    apply (released_sound M scale duals types bound requests l E); assumption.
  - destruct (_ && _) in H; [|discriminate]. inversion H as [[E E']].
    apply (blocks_sound M scale on_memory blocks types bound requests l E); assumption.
  - destruct (batches_ok _ _ _ _); [|discriminate]. inversion H as [[E E']].
    apply (batch_sound M scale duals types low nodes bound requests l E); assumption.
  - destruct (events_ok _ _ _); [|discriminate]. inversion H as [[E E']].
    apply (events_sound M scale prices requests nodes bound l E Hl).
  - destruct (dominance_ok _ _ _ _ _ _); [|discriminate]. inversion H as [[E E']].
    apply (dominance_sound M scale horizon sets types low nodes bound requests l E); assumption.
Qed.

(* What the checker accepts is true. *)
Theorem check_sound c : fst (check c) = Holds -> claim c.
Proof.
  unfold check, claim. destruct (instance_ok _ _) eqn:Hinstance; [|discriminate].
  destruct (upper_check c) eqn:Hupper; try discriminate. intros Hlower. split.
  - intros l killed Hl. apply no_kills in Hl. unfold lower_check in Hlower.
    destruct (_ || _) in Hlower; [|discriminate].
    destruct (proved _ _ _ _ _) as [[bound|] looked_at] eqn:E; [|discriminate].
    cbn [fst] in Hlower. destruct (Z.leb_spec (low c) bound) as [Hlow|]; [|discriminate].
    eapply Z.le_trans; [exact Hlow|].
    apply (proved_sound _ _ _ _ _ _ _ l E); [|exact Hl].
    apply types_of_spec. intros x Hx.
    unfold instance_ok in Hinstance. apply andb_true_iff in Hinstance as [H _].
    apply andb_true_iff in H as [_ H]. rewrite forallb_forall in H. specialize (H x Hx).
    unfold within in H. lia.
  - unfold upper_check in Hupper. destruct (high c) as [[upper starts]|]; [|exact I].
    destruct (schedule_cost _ _ _) as [u|] eqn:E; [|discriminate].
    destruct (negb (forallb _ starts)); [discriminate|].
    destruct (Z.eqb_spec upper u) as [->|]; [|discriminate].
    apply (schedule_cost_sound _ _ _ _ E).
Qed.
