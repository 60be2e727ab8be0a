(* Check certificates with the proved checker:
   kvopt-verified [--json] [--max-steps N] [--max-memory MB] FILE...

   Here files are read and verdicts printed; what is said of a file comes from `Extracted.answer`.
   Exit codes: 0 all hold, 1 some do not, 2 wrong usage. *)

open Extracted

let sprintf = Printf.sprintf
let max_bytes = 20_000_000

(* The hash of {"memory":M,"requests":[[prompt,output],...]}, with releases if there are some. *)
let digest memory groups =
  let buffer = Buffer.create 65_536 in
  let released = has_releases groups in
  let entry (q, count) =
    let numbers = q.prompt :: q.output :: (if released then [ q.release ] else []) in
    let written = "[" ^ String.concat "," (List.map Integers.to_string numbers) ^ "]," in
    for _ = 1 to Integers.to_int count do Buffer.add_string buffer written done
  in
  Buffer.add_string buffer (sprintf "{\"memory\":%s,\"requests\":[" (Integers.to_string memory));
  List.iter entry groups;
  Buffer.truncate buffer (Buffer.length buffer - 1);
  Sha256.hex (Buffer.contents buffer ^ "]}")

let content name =
  let file = if name = "-" then stdin else open_in_bin name in
  let buffer = Buffer.create 65_536 in
  (try Buffer.add_channel buffer file (max_bytes + 1) with End_of_file -> ());
  if name <> "-" then close_in file;
  if Buffer.length buffer > max_bytes then
    Json.refuse (sprintf "is longer than %d bytes" max_bytes);
  Buffer.contents buffer

let verdict name =
  Integers.restart ();
  try answer digest (Json.parse (content name)) with
  | Json.Refused why | Integers.Spent why -> Wrong why
  | Sys_error why -> Wrong ("cannot be read: " ^ why)
  | Stack_overflow | Out_of_memory | Integers.Overflow -> Wrong "is too large for this machine"

(* A text in JSON: one line of ASCII; other bytes stand as code points of the same number. *)
let quoted s =
  let written = function
    | ('"' | '\\') as c -> sprintf "\\%c" c
    | ' ' .. '~' as c -> String.make 1 c
    | c -> sprintf "\\u%04x" (Char.code c)
  in
  "\"" ^ String.concat "" (List.map written (List.of_seq (String.to_seq s))) ^ "\""

let in_json name found =
  let number = Option.value ~default:"null" in
  let holds, words, reason, rule, low, high, states =
    match found with
    | Read a -> (true, a.in_words, "", quoted a.by_rule, a.low_bound, a.high_bound, a.states_seen)
    | Wrong why -> (false, "", why, "null", None, None, None)
  in
  sprintf
    {|{"file": %s, "holds": %b, "claim": %s, "reason": %s, "rule": %s, "lower_bound": %s, |}
    (quoted name) holds (quoted words) (quoted reason) rule (number low)
  ^ sprintf {|"upper_bound": %s, "states": %s}|} (number high) (number states)

let in_words name found =
  let said = match found with Read a -> "holds: " ^ a.in_words | Wrong why -> "REFUSED: " ^ why in
  sprintf "%s: %s" (String.escaped name) (String.escaped said)

let usage () =
  prerr_endline
    (sprintf
       "usage: kvopt-verified [--json] [--max-steps N] [--max-memory MB] FILE...\n\
        N: steps for a file, %d if not given; MB: megabytes, %d"
       !Integers.max_steps !Integers.max_memory);
  exit 2

let limit place number =
  match int_of_string_opt number with Some n when n > 0 -> place := n | _ -> usage ()

let json = ref false

let rec files = function
  | "--json" :: rest -> json := true; files rest
  | "--max-steps" :: n :: rest -> limit Integers.max_steps n; files rest
  | "--max-memory" :: n :: rest -> limit Integers.max_memory n; files rest
  | name :: _ when name <> "-" && String.index_opt name '-' = Some 0 -> usage ()
  | name :: rest -> name :: files rest
  | [] -> []

let () =
  Gc.set { (Gc.get ()) with minor_heap_size = 1_000_000; space_overhead = 120 };
  let names = files (List.tl (Array.to_list Sys.argv)) in
  if names = [] then usage ();
  let check name =
    let found = verdict name in
    print_endline (if !json then in_json name found else in_words name found);
    match found with Read _ -> true | Wrong _ -> false
  in
  exit (if List.for_all Fun.id (List.map check names) then 0 else 1)
