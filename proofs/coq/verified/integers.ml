(* The integers of the extracted checker: those of Zarith, with what Coq's functions give for the
   arguments that Zarith refuses.  Extract.v says which function stands for which. *)

include Z

(* Rounded down; 0 for the divisor 0, and then the remainder is the dividend. *)
let quotient a b = if sign b = 0 then zero else fdiv a b
let remainder a b = if sign b = 0 then a else sub a (mul b (fdiv a b))
let power a b = if sign b < 0 then zero else pow a (to_int b)

(* The integers >= 0 are the natural numbers; what is below stands for 0. *)
let natural a = if sign a < 0 then zero else a
