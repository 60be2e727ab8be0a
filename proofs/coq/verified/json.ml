(* Strict JSON, as far as certificates need it: no null, true or false; integers of at most 40
   characters and no other numbers; no key twice; UTF-8.  Texts stay as they are written, with their
   escapes. *)

exception Refused of string

let refuse text = raise (Refused text)
let max_digits = 40
let max_depth = 900
let max_members = 100

(* Is this UTF-8, without overlong forms, surrogates, and code points above 10FFFF? *)
let is_utf8 text =
  let at i = if i < String.length text then Char.code text.[i] else 0 in
  let follows i k = List.for_all (fun j -> at (i + j) land 0xc0 = 0x80) (List.init k succ) in
  let rec from i =
    let a = at i and b = at (i + 1) in
    if i >= String.length text then true
    else if a < 0x80 then from (i + 1)
    else if a >= 0xc2 && a < 0xe0 then follows i 1 && from (i + 2)
    else if a >= 0xe0 && a < 0xf0 then
      follows i 2 && (a > 0xe0 || b >= 0xa0) && (a <> 0xed || b < 0xa0) && from (i + 3)
    else
      a >= 0xf0 && a < 0xf5 && follows i 3
      && (a > 0xf0 || b >= 0x90)
      && (a < 0xf4 || b < 0x90)
      && from (i + 4)
  in
  from 0

let parse text =
  if not (is_utf8 text) then refuse "is not JSON: not UTF-8";
  let n = String.length text and i = ref 0 in
  let bad what = refuse (Printf.sprintf "is not JSON: %s at byte %d" what !i) in
  let peek () = if !i < n then text.[!i] else '\000' in
  let next () = let c = peek () in incr i; c in
  let since first = String.sub text first (!i - first) in
  let rec skip () = match peek () with ' ' | '\t' | '\n' | '\r' -> incr i; skip () | _ -> () in
  let hex () =
    match next () with '0' .. '9' | 'a' .. 'f' | 'A' .. 'F' -> () | _ -> bad "a bad escape"
  in
  let escape () =
    match next () with
    | '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' -> ()
    | 'u' -> hex (); hex (); hex (); hex ()
    | _ -> bad "a bad escape"
  in
  let string () =
    if next () <> '"' then bad "a text is missing";
    let first = !i in
    while peek () <> '"' do
      match next () with
      | '\\' -> escape ()
      | c -> if c < ' ' then bad "a control character, or no end, in a text"
    done;
    let s = since first in
    incr i; s
  in
  let number () =
    let first = !i in
    if peek () = '-' then incr i;
    let digits = !i in
    while peek () >= '0' && peek () <= '9' do incr i done;
    if !i = digits || (text.[digits] = '0' && !i > digits + 1) then
      bad "a text, integer, list or object is missing";
    if List.mem (peek ()) [ '.'; 'e'; 'E' ] then refuse "numbers must be integers";
    if !i - first > max_digits then
      refuse (Printf.sprintf "a number has more than %d digits" max_digits);
    Integers.of_string (since first)
  in
  let rec value depth =
    if depth > max_depth then refuse "is not JSON that can be read: nested too deeply";
    skip ();
    let result =
      match peek () with
      | '{' -> incr i; skip ();
          Extracted.Members (if peek () = '}' then (incr i; []) else members depth [])
      | '[' -> incr i; skip ();
          Extracted.Items (if peek () = ']' then (incr i; []) else items depth [])
      | '"' -> Extracted.Text (string ())
      | _ -> Extracted.Number (number ())
    in
    skip (); result
  and items depth found =
    let found = value (depth + 1) :: found in
    match next () with
    | ',' -> items depth found
    | ']' -> List.rev found
    | _ -> bad "a comma is missing"
  and members depth found =
    skip ();
    let key = string () in
    if List.mem_assoc key found then refuse (Printf.sprintf "a key appears twice: \"%s\"" key);
    if List.length found = max_members then refuse "an object has too many keys";
    skip ();
    if next () <> ':' then bad "a colon is missing";
    let found = (key, value (depth + 1)) :: found in
    match next () with
    | ',' -> members depth found
    | '}' -> List.rev found
    | _ -> bad "a comma is missing"
  in
  let result = value 0 in
  if !i < n then bad "something is left over";
  result
