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
  Buffer.contents buffer

(* Is a text UTF-8 from byte i on, without overlong forms, surrogates, what is above 10FFFF, and
   control characters but blanks? *)
let rec is_text s i =
  let within low high j = j < String.length s && low <= s.[j] && s.[j] <= high in
  let follow low high n =
    let more = List.init (n - 1) (fun k -> i + 2 + k) in
    within low high (i + 1) && List.for_all (within '\x80' '\xbf') more && is_text s (i + n + 1)
  in
  i >= String.length s
  ||
  match s.[i] with
  | '\t' | '\n' | '\r' | ' ' .. '\x7f' -> is_text s (i + 1)
  | '\xc2' .. '\xdf' -> follow '\x80' '\xbf' 1
  | '\xe0' -> follow '\xa0' '\xbf' 2
  | '\xed' -> follow '\x80' '\x9f' 2
  | '\xe1' .. '\xef' -> follow '\x80' '\xbf' 2
  | '\xf0' -> follow '\x90' '\xbf' 3
  | '\xf1' .. '\xf3' -> follow '\x80' '\xbf' 3
  | '\xf4' -> follow '\x80' '\x8f' 3
  | _ -> false

let verdict name =
  Integers.restart ();
  try
    let text = content name in
    if String.length text > max_bytes then Wrong (sprintf "is longer than %d bytes" max_bytes)
    else if not (is_text text 0) then Wrong "is not JSON: not UTF-8, or a control character"
    else answer digest text
  with
  | Integers.Spent why -> Wrong why
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
  let row holds words reason rule low high states =
    sprintf {|{"file": %s, "holds": %b, "claim": %s, "reason": %s, |} (quoted name) holds
      (quoted words) (quoted reason)
    ^ sprintf {|"rule": %s, "lower_bound": %s, |} rule low
    ^ sprintf {|"upper_bound": %s, "states": %s}|} high states
  in
  let number = Option.value ~default:"null" in
  match found with
  | Read a ->
      row true a.in_words "" (quoted a.by_rule) (number a.low_bound) (number a.high_bound)
        (number a.states_seen)
  | Wrong why -> row false "" why "null" "null" "null" "null"

let in_words name found =
  let said = match found with Read a -> "holds: " ^ a.in_words | Wrong why -> "REFUSED: " ^ why in
  sprintf "%s: %s" (String.escaped name) (String.escaped said)

let () =
  let minor_heap_size = 1_000_000 and space_overhead = 120 and max_overhead = 1_000_000 in
  Gc.set { (Gc.get ()) with minor_heap_size; space_overhead; max_overhead };
  let json = ref false and names = ref [] in
  let add name = names := name :: !names in
  let usage = "usage: kvopt-verified [--json] [--max-steps N] [--max-memory MB] FILE..." in
  let options =
    [ ("--json", Arg.Set json, " Print an object for each file");
      ("--max-steps", Arg.Set_int Integers.max_steps, "N  Operations on integers for a file");
      ("--max-memory", Arg.Set_int Integers.max_memory, "MB  Megabytes");
      ("-", Arg.Unit (fun () -> add "-"), " Standard input") ]
  in
  Arg.parse options add usage;
  if !names = [] then (Arg.usage options usage; exit 2);
  let check name =
    let found = verdict name in
    print_endline (if !json then in_json name found else in_words name found);
    match found with Read _ -> true | Wrong _ -> false
  in
  exit (if List.for_all Fun.id (List.map check (List.rev !names)) then 0 else 1)
