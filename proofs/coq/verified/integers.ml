(* The integers of the extracted checker: those of Zarith, with what Coq's functions give for the
   arguments that Zarith refuses.  Extract.v says which function stands for which. *)

include Z

(* Positive numbers in binary, the lowest digit first.  What is below 1 stands for 1. *)
type positive = XI of positive | XO of positive | XH
let rec of_positive = function
  | XI p -> succ (shift_left (of_positive p) 1)
  | XO p -> shift_left (of_positive p) 1
  | XH -> one
let rec to_positive z =
  if leq z one then XH
  else let half = to_positive (shift_right z 1) in if is_odd z then XI half else XO half

(* Rounded down; 0 for the divisor 0, and then the remainder is the dividend. *)
let quotient a b = if sign b = 0 then zero else fdiv a b
let remainder a b = if sign b = 0 then a else sub a (mul b (fdiv a b))
let power a b = if sign b < 0 then zero else pow a (to_int b)

(* The integers >= 0 are the natural numbers; what is below stands for 0. *)
let natural a = if sign a < 0 then zero else a
