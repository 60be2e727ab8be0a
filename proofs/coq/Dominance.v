(* The rule "dominance" of FORMAT.md: theorem 9 of release_times.md, for any duals.

   The search through time of StartSearch.v leaves out spots from which, by costs-to-go (BatchCosts.v), no schedule goes on
   that costs little enough. *)

From Coq Require Import ZArith List Lia Bool Permutation FMapPositive.
From Kvopt Require Import Model Sums Staircase Completions Prices Paths Types Keys Vectors Exhaustive Released BatchGraph
  Batches BatchState BatchCosts StartSearch.
Import ListNotations.
Open Scope Z_scope.

(* --- The instance ------------------------------------------------------------------------ *)

(* Shapes by prompt, of one prompt the longest first. *)
Definition goes_before (q q' : request) : bool :=
  (prompt q <? prompt q') || ((prompt q =? prompt q') && (output q' <=? output q)).
Fixpoint insert_shape (q : request) (l : list request) : list request :=
  match l with
  | [] => [q]
  | q' :: rest => if goes_before q q' then q :: l else q' :: insert_shape q rest
  end.
Definition longest_first (l : list request) : list request := fold_right insert_shape [] l.

Fixpoint orderly_shapes (last longest : Z) (l : list request) : bool :=
  match l with
  | [] => true
  | q :: rest => (negb (prompt q =? last) || (output q <=? longest)) && orderly_shapes (prompt q) (output q) rest
  end.

(* Each request with its duals, of which there is a column for each set. *)
Fixpoint items_of (types : list (request * Z)) (columns : list (list Z)) : list item :=
  match types with
  | [] => []
  | x :: rest => repeat (Item (fst x) (Vector (map (hd 0) columns))) (Z.to_nat (snd x)) ++ items_of rest (map (@tl Z) columns)
  end.
Definition queue_for (items : list item) (q : request) : list item := filter (fun x => same q (who x)) items.

Fixpoint rising_items (Q : list item) : bool :=
  match Q with
  | x :: (y :: _) as rest => (release (who x) <=? release (who y)) && rising_items rest
  | _ => true
  end.

(* --- Bounds ------------------------------------------------------------------------------ *)

(* A set of duals: its place among all, the time from which on it is used, and the costs-to-go from its first row on. *)
Record dual_set := DualSet { place : Z; from : Z; first_row : Z; rows : vector (option batch_table) }.

Fixpoint dual_sets (D A H W : Z) (shapes : list request) (G : batch_graph) (place : Z) (sets : list (Z * list (request * Z))) :
    list dual_set :=
  match sets with
  | [] => []
  | (begin, duals) :: rest =>
      let last := match rest with _ :: (next, _) :: _ => next | _ => H + 1 end in
      let first := Z.max 1 begin in
      let kinds := shape_kinds W (price_steps duals) shapes in
      let all := rows_from D A H last kinds G (Z.to_nat (H - first)) 0 (row_at D A H kinds G 0) [] in
      DualSet place begin first (Vector (map Some all)) :: dual_sets D A H W shapes G (place + 1) rest
  end.

(* What the sets that are used at a time say of batches, by the places of their duals: the last two that have begun. *)
Definition outlook : Type := Z * (Z * list (Z * option batch_table)).
Definition outlook_at (H : Z) (sets : list dual_set) (t : Z) : outlook :=
  let begun := filter (fun s => from s <=? t) sets in
  (t, (H, map (fun s => (place s, at_place None (rows s) (t - first_row s))) (firstn 2 (rev begun)))).

Definition all_worth (j : Z) (Q : list item) : Z := total (fun x => at_place 0 (worths x) j) Q.
Definition all_outputs (shapes : list request) (Qs : list (list item)) : Z :=
  total (fun y => output (fst y) * Z.of_nat (length (snd y))) (combine shapes Qs).

Definition affordable (M D outputs low : Z) (N : numbers_of_batches) (shapes : list request) (view : outlook) (x : spot) : bool :=
  let '(t, (H, sets)) := view in
  let number := match KeyMap.find (fold_right insert_code [] (map (fun a => coded M t (fst a)) (active x))) N with
    | Some i => i
    | None => -1
    end in
  let completed := begun x + outputs - all_outputs shapes (queues x) - total (fun a => completion (fst a)) (active x) in
  forallb (fun s =>
    match (if H <=? t then Some 0 else option_map (fun row => rest_of row number) (snd s)) with
    | None => true
    | Some v =>
        D * completed + total (fun a => at_place 0 (snd a) (fst s)) (active x) + total (all_worth (fst s)) (queues x) + v
          <=? D * (low - 1)
    end) sets.

Definition max_costs : Z := 2 ^ 60.

(* `latency`, if the search shows that no schedule costs less, with no more nodes than `limit`. *)
Definition dominance_bound (M D H : Z) (sets : list (Z * list (request * Z))) (types : list (request * Z)) (latency limit : Z) :
    option Z :=
  let shapes := longest_first (map fst (shapes_of types)) in
  let A := latest (map (fun x => release (fst x)) types) in
  let low := latency + total (fun x => snd x * release (fst x)) types in
  let outputs := total (fun x => snd x * output (fst x)) types in
  let items := items_of types (map (fun s => map snd (snd s)) sets) in
  let Qs := map (queue_for items) shapes in
  if (1 <=? M) && (1 <=? D) && (1 <=? total (fun x => snd x) types) && (A <=? H)
    && ((H + 1) * M * D * (H + 1) <=? max_costs)
    && forallb (fun x => (0 <=? release (fst x)) && (0 <=? snd x) && existsb (same (at_zero (fst x))) shapes) types
    && forallb (fun q => (0 <=? prompt q) && (prompt q <=? M) && (1 <=? output q) && (release q =? 0)) shapes
    && distinct shapes && orderly_shapes (-1) 0 shapes && forallb rising_items Qs
    && forallb (fun s => of_types types (snd s) && forallb (fun x => snd x <=? D * H) (snd s)) sets
  then
    match batches_of M shapes with
    | None => None
    | Some (N, G) =>
        let found := dual_sets D A H (M + 1) shapes G 0 sets in
        if nothing_cheaper M A outputs low limit shapes (outlook_at H found) (affordable M D outputs low N shapes)
             (Z.to_nat (A + outputs + 2)) 0 [Spot 0 Qs [] []] 0
        then Some latency else None
    end
  else None.
