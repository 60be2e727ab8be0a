(* Check certificates with the proved checker:  kvopt-verified [--json] FILE...

   Here files are read and verdicts printed; what a certificate proves is decided by
   `Extracted.check` and `Extracted.check_slices` alone.  Exit codes: 0 all hold, 1 some do not, 2 wrong usage. *)

open Json
module E = Extracted

let sprintf = Printf.sprintf
let max_bytes = 200_000_000 and format = "kvopt-certificate/2"

(* --- From JSON to what Checker.v calls a certificate ------------------------------------- *)

let fields value place required optional = match value with
  | Object members ->
      List.iter (fun (key, _) -> if not (List.mem key (required @ optional)) then
        refuse (sprintf "%s: has an unknown key \"%s\"" place key)) members;
      (fun key -> match List.assoc_opt key members with
        | None when List.mem key required -> refuse (sprintf "%s: has no '%s'" place key)
        | found -> found)
  | _ -> refuse (place ^ ": must be an object")

let get field key = Option.get (field key)
let listed place = function List l -> l | _ -> refuse (place ^ ": must be a list")
let text place = function String s -> s | _ -> refuse (place ^ ": must be a text")
let integer place = function Int n -> n | _ -> refuse (place ^ ": must be an integer")
let several read place value = List.map (read place) (listed place value)
let integers = several integer
let pair first second place value = match value with
  | List [ a; b ] -> (first place a, second place b)
  | _ -> refuse (place ^ ": must hold lists of 2")
let request prompt output release = { E.prompt; output; release }
(* [prompt, output, number], or [prompt, output, release, number]. *)
let with_number ?(released = false) place value = match integers place value, released with
  | [ s; o; x ], false -> (request s o Integers.zero, x)
  | [ s; o; a; x ], true -> (request s o a, x)
  | _ -> refuse (sprintf "%s: must hold lists of %d integers" place (if released then 4 else 3))
let cover place value = match integers place value with
  | [ level; time; p ] -> ((level, time), p)
  | _ -> refuse (place ^ ": must hold lists of 3 integers")
let rows = several (pair integer integer)

(* Rows of the same heights, with duals, or with knots between which they are linear. *)
let family place value =
  let knots = match value with Object members -> List.mem_assoc "knots" members | _ -> false in
  let key = if knots then "knots" else "duals" in
  let field = fields value place [ "heights"; key ] [] in
  { E.heights = rows place (get field "heights"); knots; duals = rows place (get field key) }

let duals place field =
  let families = Option.fold ~none:[] ~some:(several family (place ^ ".first_completion")) in
  { E.of_families = families (field "first_completion"); of_memory = rows place (get field "memory");
    of_covers = several cover place (get field "covers"); of_branch = integers place (get field "branch") }

let leaf place node =
  let d = duals place (fields node place [ "memory"; "covers"; "branch" ] [ "first_completion" ]) in
  E.LeafWith (d.of_families, d.of_memory, d.of_covers, d.of_branch)

(* A tree in preorder, and what is left of the list. *)
let rec tree place depth = function
  | [] -> refuse (place ^ ": ends with subtrees missing")
  | _ when depth > 1_000 -> refuse (place ^ ": is deeper than 1000")
  | (Object members as node) :: rest when List.mem_assoc "split" members ->
      let field = fields node place [ "split"; "at_most" ] [] in
      let split = several with_number place (get field "split") in
      let few, rest = tree place (depth + 1) rest in
      let many, rest = tree place (depth + 1) rest in
      (E.Split (split, integer place (get field "at_most"), few, many), rest)
  | node :: rest -> (leaf place node, rest)

(* The same of "propagation": each node may have duals, and splits are of one type. *)
let rec domain_tree place depth = function
  | [] -> refuse (place ^ ": ends with subtrees missing")
  | _ when depth > 1_000 -> refuse (place ^ ": is deeper than 1000")
  | node :: rest ->
      let has key = match node with Object members -> List.mem_assoc key members | _ -> false in
      let split = has "split" and own = has "memory" in
      let field = fields node place
        ((if split then [ "split"; "at_most" ] else []) @ if own then [ "memory"; "covers"; "branch" ] else [])
        (if own then [ "first_completion" ] else []) in
      let duals = if own then Some (duals place field) else None in
      if not split then (E.DomainLeaf duals, rest)
      else match several with_number place (get field "split") with
        | [ (kind, until) ] ->
            let most = integer place (get field "at_most") in
            let few, rest = domain_tree place (depth + 1) rest in
            let many, rest = domain_tree place (depth + 1) rest in
            (E.DomainSplit (duals, kind, until, most, few, many), rest)
        | _ -> refuse (place ^ ".split: must be of one type")

let whole tree place value = match tree place 0 (listed place value) with
  | found, [] -> found
  | _ -> refuse (place ^ ": goes on after its end")

let proof released value =
  let rule = match value with
    | Object members -> (match List.assoc_opt "rule" members with Some (String s) -> s | _ -> "")
    | _ -> refuse "proof: must be an object" in
  let fields keys = fields value "proof" ("rule" :: keys) [] in
  let read field key reader = reader ("proof." ^ key) (get field key) in
  ( rule, match rule with
    | "busy-time" -> (match read (fields [ "weights" ]) "weights" text with
        | "memory" | "slots" as weights -> E.BusyTime (weights = "slots")
        | _ -> refuse "proof.weights: must be memory or slots")
    | "exhaustive" -> E.Exhaustive (read (fields [ "states" ]) "states" integer)
    | "linear-duals" ->
        let field = fields [ "scale"; "tree" ] in
        E.LinearDuals (read field "scale" integer, read field "tree" (whole tree))
    | "propagation" ->
        let field = fields [ "scale"; "horizon"; "cutoff"; "tree" ] in
        let number key = read field key integer in
        E.Propagation (number "scale", number "horizon", number "cutoff", read field "tree" (whole domain_tree))
    | "aggregate-state" ->
        let read key reader = read (fields [ "scale"; "start"; "duals"; "covers"; "second_moments" ]) key reader in
        let series = several (pair integer integers) in
        E.AggregateState (read "scale" integer, read "start" series, read "duals" (several with_number),
          read "covers" series, read "second_moments" integers)
    | "demand-duals" ->
        let field = fields [ "scale"; "duals" ] in
        E.DemandDuals (read field "scale" integer, read field "duals" (several (with_number ~released)))
    | "blocks" ->
        let field = fields [ "scale"; "memory"; "blocks" ] in
        E.Blocks (read field "scale" integer, read field "memory" rows,
          read field "blocks" (several (several with_number)))
    | "batch-state" ->
        let field = fields [ "scale"; "horizon"; "duals"; "nodes" ] in
        let number key = read field key integer in
        E.BatchState (number "scale", number "horizon", read field "duals" (several (with_number ~released)), number "nodes")
    | "event-order" ->
        let field = fields [ "scale"; "tree" ] in
        E.EventOrder (read field "scale" integer, read field "tree" Events.read)
    | _ -> refuse "proof.rule: is not one that this checker proves" )

let instance value =
  let field = fields value "instance" [ "memory"; "requests" ] [ "format"; "name"; "comment"; "source" ] in
  List.iter (fun key -> ignore (Option.map (text ("instance." ^ key)) (field key))) [ "name"; "comment"; "source" ];
  let entry place value =
    let field = fields value place [ "prompt"; "output" ] [ "count"; "release" ] in
    let number ?(none = Integers.zero) key = Option.fold ~none ~some:(integer (place ^ "." ^ key)) (field key) in
    (request (number "prompt") (number "output") (number "release"), number ~none:Integers.one "count") in
  let memory = integer "instance.memory" (get field "memory") in
  let groups = several entry "instance.requests" (get field "requests") in
  if not (E.instance_ok memory groups) then refuse "instance: a number is out of range";
  let released = List.exists (fun (q, _) -> Integers.sign q.E.release > 0) groups in
  let known = if released then "kvopt-instance/2" else "kvopt-instance/1" in
  if Option.value (field "format") ~default:(String known) <> String known then
    refuse (sprintf "instance.format: must be '%s'" known);
  (memory, groups, released)

(* The hash of {"memory":M,"requests":[[prompt,output],...]}, with releases if there are some. *)
let digest (memory, groups, released) =
  let buffer = Buffer.create 65_536 in
  let entry (q, count) =
    let numbers = q.E.prompt :: q.E.output :: (if released then [ q.E.release ] else []) in
    let written = "[" ^ String.concat "," (List.map Integers.to_string numbers) ^ "]," in
    for _ = 1 to Integers.to_int count do Buffer.add_string buffer written done in
  Buffer.add_string buffer (sprintf "{\"memory\":%s,\"requests\":[" (Integers.to_string memory));
  List.iter entry groups;
  Buffer.truncate buffer (Buffer.length buffer - 1);
  Sha256.hex (Buffer.contents buffer ^ "]}")

let certificate value =
  (match value with
  | Object members when List.assoc_opt "format" members <> Some (String format) ->
      refuse (sprintf "format: must be '%s' for this checker" format)
  | _ -> ());
  let field = fields value "certificate"
    [ "format"; "instance"; "instance_sha256"; "lower_bound"; "proof" ] [ "upper_bound"; "starts" ] in
  let (memory_size, groups, released) as read = instance (get field "instance") in
  let right = digest read in
  if get field "instance_sha256" <> String right then refuse ("instance_sha256: the instance has " ^ right);
  let bound key = match get field key with
    | Int n when Integers.sign n >= 0 -> n
    | _ -> refuse (key ^ ": must be an integer from 0") in
  let high = match field "upper_bound", field "starts" with
    | None, None -> None
    | Some _, Some starts -> Some (bound "upper_bound", integers "starts" starts)
    | _ -> refuse "upper_bound and starts: must both be there, or neither" in
  let rule, proof = proof released (get field "proof") in
  (rule, { E.memory_size; groups; low = bound "lower_bound"; high; proof })

(* --- Certified slices -------------------------------------------------------------------- *)

let slices_format = "kvopt-slices/1"

(* "p/q", both of at most 40 digits. *)
let fraction place value =
  let digits s = s <> "" && String.length s <= 40 && String.for_all (fun c -> c >= '0' && c <= '9') s
    && (s = "0" || s.[0] <> '0') in
  match String.split_on_char '/' (text place value) with
  | [ p; q ] when digits p && digits q && q <> "0" ->
      { E.qnum = Integers.of_string p; qden = Integers.to_positive (Integers.of_string q) }
  | _ -> refuse (place ^ ": must be a text 'p/q' of integers")

let shown_fraction { E.qnum; qden } =
  let q = Integers.of_positive qden in
  let g = Integers.gcd qnum q in
  let q' = Integers.divexact q g in
  Integers.to_string (Integers.divexact qnum g)
  ^ if Integers.equal q' Integers.one then "" else "/" ^ Integers.to_string q'

(* --- Verdicts ---------------------------------------------------------------------------- *)

type claim = { words : string; rule : string; low : string; high : string option; states : string }

let in_words rule low high = match high with
  | Some u when u = low -> sprintf "the optimum is %s (%s)" low rule
  | Some u -> sprintf "the optimum is at least %s and at most %s (%s)" low u rule
  | None -> sprintf "the optimum is at least %s (%s)" low rule

let bracket value =
  let rule, c = certificate value in
  let verdict, looked_at = E.check c in
  let shown = Integers.to_string in
  match verdict with
  | E.Holds ->
      let low = shown c.low and high = Option.map (fun (u, _) -> shown u) c.high in
      { words = in_words rule low high; rule; low; high;
        states = (if rule = "exhaustive" then shown looked_at else "null") }
  | Refused_instance -> refuse "instance: a number is out of range"
  | Refused_releases -> refuse (sprintf "proof.rule: %s is not proved for releases after time 0" rule)
  | Refused_starts -> refuse "starts: are no schedule"
  | Refused_upper cost -> refuse ("upper_bound: the starts cost " ^ shown cost)
  | Refused_order cost -> refuse (sprintf "lower_bound: is %s, the starts cost %s" (shown c.low) (shown cost))
  | Refused_proof -> refuse "proof: does not prove the lower bound"
  | Refused_low found -> refuse (sprintf "lower_bound: is %s, the proof gives %s" (shown c.low) (shown found))

let slices value =
  let field = fields value "slices"
    [ "format"; "prompt"; "memory"; "phases"; "area_weight"; "factor"; "bound" ] [] in
  let number key = integer key (get field key) and ratio key = fraction key (get field key) in
  let phase place value = let slice, distance = pair integer fraction place value in { E.slice; distance } in
  let phases = several phase "phases" (get field "phases") in
  let prompt = number "prompt" and memory = number "memory" and bound = ratio "bound" in
  if not (E.check_slices prompt memory (ratio "area_weight") (ratio "factor") bound phases) then
    refuse "slices: do not prove the bound";
  let longest = (List.nth phases (List.length phases - 1)).slice in
  let whom = if Integers.equal (Integers.add prompt longest) memory then ""
    else ", outputs <= " ^ Integers.to_string longest in
  { words = sprintf "%d phases cost at most %s times the optimum (memory %s, prompts %s%s)" (List.length phases)
      (shown_fraction bound) (Integers.to_string memory) (Integers.to_string prompt) whom;
    rule = "slices"; low = "null"; high = None; states = "null" }

let verified content = match parse content with
  | Object members as value when List.assoc_opt "format" members = Some (String slices_format) -> slices value
  | value -> bracket value

let read name =
  let file = if name = "-" then stdin else open_in_bin name in
  let buffer = Buffer.create 65_536 in
  (try while Buffer.length buffer <= max_bytes do Buffer.add_char buffer (input_char file) done
   with End_of_file -> ());
  if name <> "-" then close_in file;
  if Buffer.length buffer > max_bytes then refuse (sprintf "is longer than %d bytes" max_bytes);
  Buffer.contents buffer

(* A text in JSON: one line of ASCII; other bytes stand as code points of the same number. *)
let quoted s =
  let written c = match c with
    | '"' | '\\' -> sprintf "\\%c" c
    | ' ' .. '~' -> String.make 1 c
    | _ -> sprintf "\\u%04x" (Char.code c) in
  "\"" ^ String.concat "" (List.map written (List.of_seq (String.to_seq s))) ^ "\""

let report json name answer =
  let claim, reason = match answer with Ok c -> (c.words, "") | Error reason -> ("", reason) in
  if json then
    let rule, low, high, states = match answer with
      | Ok c -> (quoted c.rule, c.low, Option.value c.high ~default:"null", c.states)
      | Error _ -> ("null", "null", "null", "null") in
    let row = [ ("file", quoted name); ("holds", string_of_bool (Result.is_ok answer)); ("claim", quoted claim);
      ("reason", quoted reason); ("rule", rule); ("lower_bound", low); ("upper_bound", high); ("states", states) ] in
    Printf.printf "{%s}\n%!" (String.concat ", " (List.map (fun (key, v) -> sprintf "\"%s\": %s" key v) row))
  else
    let verdict = if Result.is_ok answer then "holds: " ^ claim else "REFUSED: " ^ reason in
    Printf.printf "%s: %s\n%!" (String.escaped name) (String.escaped verdict)

let answer name =
  try Ok (verified (read name)) with
  | Refused reason -> Error reason
  | Sys_error reason -> Error ("cannot be read: " ^ reason)
  | Stack_overflow | Out_of_memory | Z.Overflow -> Error "is too large for this machine"

let () =
  let arguments = List.tl (Array.to_list Sys.argv) in
  let json, names = List.partition (( = ) "--json") arguments in
  if names = [] || List.exists (fun name -> name <> "-" && String.index_opt name '-' = Some 0) names then
    (prerr_endline "usage: kvopt-verified [--json] FILE..."; exit 2);
  let check name = let a = answer name in report (json <> []) name a; Result.is_ok a in
  exit (if List.for_all Fun.id (List.map check names) then 0 else 1)
