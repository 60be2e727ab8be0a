(* The integers of the extracted checker: those of Zarith, with what Coq's functions give for the
   arguments that Zarith refuses, and with a budget; and vectors.  Extract.v says what stands for
   which function. *)

(* --- What checking a file may take ------------------------------------------------------- *)

(* A step is an operation on integers.  No loop goes on without them, so work is bounded whatever a
   file asks for; to give up is to refuse, and that is always right. *)
exception Spent of string

let max_steps = ref 1_500_000_000
let max_memory = ref 2_000 (* megabytes *)
let max_words = 1_000 (* of an integer *)
let slice = 65_536
let left = ref 0 (* of a slice of steps *)
let later = ref !max_steps (* in slices to come *)
let restart () = left := 0; later := !max_steps
let spent what unit most = raise (Spent (Printf.sprintf "%s more than %d %s" what most unit))

(* Is there room for so many words more? *)
let room words =
  if ((Gc.quick_stat ()).heap_words + words) / 125_000 > !max_memory then
    spent "takes" "MB of memory to check" !max_memory

let next_slice () =
  let more = Stdlib.min !later (Stdlib.max slice (- !left)) in
  left := !left + more;
  later := !later - more;
  if !left < 0 then spent "takes" "steps to check" !max_steps;
  room 0

let spend n =
  left := !left - n;
  if !left < 0 then next_slice ()

(* Only products and powers make integers long. *)
let pay words =
  if words > max_words then spent "has numbers of" "words" max_words;
  spend (words * words)

let paid x = if not (Z.fits_int x) then pay (Z.size x); x

(* --- Vectors: arrays --------------------------------------------------------------------- *)

(* Entries are numbered from 0 on; `none` stands elsewhere. *)
let entry none v i =
  let i = Z.to_int i in
  if i >= 0 && i < Array.length v then v.(i) else none

(* An entry may be found from those before it: there is `none` yet in the others. *)
let build none n f =
  room (Z.to_int n);
  let v = Array.make (Z.to_int n) none in
  for i = 0 to Array.length v - 1 do v.(i) <- f v (Z.of_int i) done;
  v

let tabulate n f = room (Z.to_int n); Array.init (Z.to_int n) (fun i -> f (Z.of_int i))

let collect n pairs =
  let v = tabulate n (fun _ -> []) in
  let put (i, x) =
    let i = Z.to_int i in
    if i >= 0 && i < Array.length v then v.(i) <- x :: v.(i)
  in
  List.iter put pairs;
  v

(* --- Functions --------------------------------------------------------------------------- *)

include Z

let add x y = spend 1; Z.add x y
let sub x y = spend 1; Z.sub x y
let mul x y = spend 1; paid (Z.mul x y)
let succ x = spend 1; Z.succ x
let pred x = spend 1; Z.pred x
let equal x y = spend 1; x == y || Z.equal x y
let leq x y = spend 1; Z.leq x y
let lt x y = spend 1; Z.lt x y
let compare x y = spend 1; Z.compare x y
let min x y = spend 1; Z.min x y
let max x y = spend 1; Z.max x y

(* Positive numbers in binary, the lowest digit first.  What is below 1 stands for 1. *)
type positive = XI of positive | XO of positive | XH

let rec of_positive = function
  | XI p -> succ (shift_left (of_positive p) 1)
  | XO p -> shift_left (of_positive p) 1
  | XH -> one

let rec to_positive z =
  if leq z one then XH
  else
    let half = to_positive (shift_right z 1) in
    if is_odd z then XI half else XO half

(* Rounded down; 0 for the divisor 0, and then the remainder is the dividend. *)
let quotient a b = if sign b = 0 then zero else (spend 1; fdiv (paid a) b)
let remainder a b = if sign b = 0 then a else sub a (mul b (quotient a b))

let power a b =
  if sign b < 0 then zero
  else
    let n = to_int b in
    pay (Stdlib.( * ) (size a) n);
    pow a n

(* The integers >= 0 are the natural numbers; what is below stands for 0. *)
let natural a = if sign a < 0 then zero else a
