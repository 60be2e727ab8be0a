(* The checker as a program in OCaml: make -C proofs/coq checker.

   What is trusted here: that Coq's extraction is right, and these directives.  Integers become
   those of the library Zarith, of any size; verified/integers.ml has the few functions whose
   meaning in Coq differs from that in Zarith. *)

From Coq Require Import ZArith List.
From Coq Require Extraction ExtrOcamlBasic.
From Kvopt Require Import Model Checker.

Extraction Language OCaml.
Extraction Blacklist Integers Z List Int.

(* nat, positive and Z are all integers; a match tells the cases apart. *)
Extract Inductive nat => "Integers.t" [ "Integers.zero" "Integers.succ" ]
  "(fun zero next n -> if Integers.sign n <= 0 then zero () else next (Integers.pred n))".
Extract Inductive positive => "Integers.t"
  [ "(fun p -> Integers.succ (Integers.shift_left p 1))" "(fun p -> Integers.shift_left p 1)" "Integers.one" ]
  "(fun odd even one p -> if Integers.leq p Integers.one then one () else
    if Integers.is_odd p then odd (Integers.shift_right p 1) else even (Integers.shift_right p 1))".
Extract Inductive Z => "Integers.t" [ "Integers.zero" "" "Integers.neg" ]
  "(fun zero pos neg z -> let s = Integers.sign z in
    if s = 0 then zero () else if s > 0 then pos z else neg (Integers.neg z))".

Extract Inlined Constant Z.add => "Integers.add".
Extract Inlined Constant Z.sub => "Integers.sub".
Extract Inlined Constant Z.mul => "Integers.mul".
Extract Inlined Constant Z.opp => "Integers.neg".
Extract Inlined Constant Z.succ => "Integers.succ".
Extract Inlined Constant Z.pred => "Integers.pred".
Extract Inlined Constant Z.min => "Integers.min".
Extract Inlined Constant Z.max => "Integers.max".
Extract Inlined Constant Z.eqb => "Integers.equal".
Extract Inlined Constant Z.eq_dec => "Integers.equal".
Extract Inlined Constant Z.leb => "Integers.leq".
Extract Inlined Constant Z.ltb => "Integers.lt".
Extract Constant Z.compare =>
  "(fun x y -> let s = Integers.compare x y in if s = 0 then Eq else if s < 0 then Lt else Gt)".
Extract Constant Z.div => "Integers.quotient".
Extract Constant Z.modulo => "Integers.remainder".
Extract Constant Z.pow => "Integers.power".

Extract Inlined Constant Z.of_nat => "Fun.id".
Extract Inlined Constant Z.to_nat => "Integers.natural".
Extract Constant Z.to_pos => "(fun z -> Integers.max Integers.one z)".
Extract Inlined Constant Pos.succ => "Integers.succ".
Extract Inlined Constant Pos.add => "Integers.add".
Extract Inlined Constant Pos.mul => "Integers.mul".
Extract Inlined Constant Nat.eqb => "Integers.equal".
Extract Inlined Constant Nat.add => "Integers.add".

Extraction "verified/extracted.ml" check.
