(* SHA-256 (FIPS 180-4), on integers of 63 bits. *)

let mask = 0xffffffff

(* The first 32 bits of the fractional parts of the roots of the first primes. *)
let constants count power =
  let rec primes found n =
    if List.length found = count then List.rev found
    else primes (if List.exists (fun p -> n mod p = 0) found then found else n :: found) (n + 1) in
  let root p =
    let shifted = Z.shift_left (Z.of_int p) (32 * power) in
    Z.to_int (Z.logand (Z.root shifted power) (Z.of_int mask))
  in
  Array.of_list (List.map root (primes [] 2))

let k = constants 64 3
let rotate x n = ((x lsr n) lor (x lsl (32 - n))) land mask

let block h text at =
  let w = Array.make 64 0 in
  for i = 0 to 15 do w.(i) <- Int32.to_int (Bytes.get_int32_be text (at + (4 * i))) land mask done;
  for i = 16 to 63 do
    let a = w.(i - 15) and b = w.(i - 2) in
    let s0 = rotate a 7 lxor rotate a 18 lxor (a lsr 3) in
    let s1 = rotate b 17 lxor rotate b 19 lxor (b lsr 10) in
    w.(i) <- (w.(i - 16) + s0 + w.(i - 7) + s1) land mask
  done;
  let s = Array.copy h in
  for i = 0 to 63 do
    let a = s.(0) and b = s.(1) and c = s.(2) and e = s.(4) in
    let s1 = rotate e 6 lxor rotate e 11 lxor rotate e 25 in
    let t = s.(7) + s1 + ((e land s.(5)) lxor (lnot e land s.(6) land mask)) + k.(i) + w.(i) in
    let s0 = rotate a 2 lxor rotate a 13 lxor rotate a 22 in
    Array.blit s 0 s 1 7;
    s.(4) <- (s.(4) + t) land mask;
    s.(0) <- (t + s0 + ((a land b) lxor (a land c) lxor (b land c))) land mask
  done;
  Array.iteri (fun i x -> h.(i) <- (h.(i) + x) land mask) s

let hex text =
  let n = String.length text in
  let size = ((n + 8) / 64 * 64) + 64 in
  let padded = Bytes.make size '\000' in
  Bytes.blit_string text 0 padded 0 n;
  Bytes.set padded n '\128';
  Bytes.set_int64_be padded (size - 8) (Int64.of_int (8 * n));
  let h = constants 8 2 in
  for i = 0 to (size / 64) - 1 do block h padded (64 * i) done;
  String.concat "" (List.map (Printf.sprintf "%08x") (Array.to_list h))
