(* Trees of the rule "event-order", from JSON to what EventOrder.v calls them.  What they prove is for
   the proved checker to say. *)

open Json
module E = Extracted

(* Request i is named i + 1; there are 64 at most. *)
let names = Array.init 64 (fun i -> Integers.to_positive (Integers.of_int (i + 1)))
let name place = function
  | Int i when Integers.sign i >= 0 && Integers.lt i (Integers.of_int 64) -> names.(Integers.to_int i)
  | _ -> refuse (place ^ ": a request is named by an integer from 0 to 63")

let row place = function
  | List (Int y :: String kind :: numbers) ->
      let wrong what = refuse (place ^ ": " ^ what) in
      (y, match kind, numbers with
        | "area", Int e :: chosen -> E.AreaRow (e, List.map (name place) chosen)
        | "area", _ -> wrong "an area has a round"
        | ("gap" | "end" | "memory"), _ -> (match kind, List.map (name place) numbers with
            | "gap", [ a; b ] -> E.GapRow (a, b)
            | "gap", _ -> wrong "a gap is of two requests"
            | "end", [ i ] -> E.EndRow i
            | "end", _ -> wrong "an end is of one request"
            | _, j :: running -> E.MemoryRow (j, running)
            | _ -> wrong "names no request")
        | _ -> wrong (Printf.sprintf "\"%s\" is no kind of row that this checker proves" kind))
  | _ -> refuse (place ^ ": a row has a multiplier and a kind")

(* A tree in preorder, and what is left of the list. *)
let rec tree place = function
  | [] -> refuse (place ^ ": ends with subtrees missing")
  | Object [ ("rows", List rows) ] :: rest -> (E.EventLeaf (List.map (row (place ^ ".rows")) rows), rest)
  | Object [ ("at", List [ k; j ]) ] :: rest ->
      let before, rest = tree place rest in
      let running, rest = tree place rest in
      let after, rest = tree place rest in
      (E.AtCompletion (name place k, name place j, before, running, after), rest)
  | Object [ ("start", List [ i; Int t ]) ] :: rest ->
      let early, rest = tree place rest in
      let late, rest = tree place rest in
      (E.StartBy (name place i, t, early, late), rest)
  | _ -> refuse (place ^ ": a node has 'rows', or 'at' of two requests, or 'start' of a request and a time")

let read place = function
  | List nodes -> (match tree place nodes with
      | found, [] -> found
      | _ -> refuse (place ^ ": goes on after its end"))
  | _ -> refuse (place ^ ": must be a list")
