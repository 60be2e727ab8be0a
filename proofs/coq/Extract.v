(* The checker as a program in OCaml: make -C proofs/coq checker.

   What is trusted here: that Coq's extraction is right, and these directives.  Integers become
   those of the library Zarith, of any size; verified/integers.ml has the few functions whose
   meaning in Coq differs from that in Zarith, and counts steps.  Vectors (Vectors.v) become arrays.
   Texts and characters are those of OCaml, by directives that come with Coq.  Functions on lists are those of
   Lists.v, which need no stack; each is proved to be equal to that in whose place it stands. *)

From Coq Require Import ZArith List.
From Coq Require Extraction ExtrOcamlBasic ExtrOcamlNativeString.
From Kvopt Require Import Model Sums Vectors Lists Reading Report.

Extraction Language OCaml.
Extraction Blacklist Integers Z List Int String Array Json.

(* nat and Z are integers, a match tells the cases apart; positive are numbers in binary, which
   serve as keys. *)
Extract Inductive nat => "Integers.t" [ "Integers.zero" "Integers.succ" ]
  "(fun zero next n -> if Integers.sign n <= 0 then zero () else next (Integers.pred n))".
Extract Inductive positive => "Integers.positive" [ "Integers.XI" "Integers.XO" "Integers.XH" ].
Extract Inductive Z => "Integers.t"
  [ "Integers.zero" "Integers.of_positive" "(fun p -> Integers.neg (Integers.of_positive p))" ]
  "(fun zero pos neg z -> let s = Integers.sign z in if s = 0 then zero ()
    else if s > 0 then pos (Integers.to_positive z) else neg (Integers.to_positive (Integers.neg z)))".

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
Extract Inlined Constant Z.to_pos => "Integers.to_positive".
Extract Inlined Constant Nat.eqb => "Integers.equal".
Extract Inlined Constant Nat.add => "Integers.add".

(* Lists, however long: by map_tail_eq and its like. *)
Extraction "verified/lists.ml" map_tail app_tail rev_tail filter_tail flat_map_tail concat_tail fold_right_tail
  length_tail combine_tail seq_tail repeat_tail total_tail sum_below_tail.
Extract Inlined Constant List.map => "Lists.map_tail".
Extract Inlined Constant app => "Lists.app_tail".
Extract Inlined Constant List.rev => "Lists.rev_tail".
Extract Inlined Constant List.filter => "Lists.filter_tail".
Extract Inlined Constant List.flat_map => "Lists.flat_map_tail".
Extract Inlined Constant List.concat => "Lists.concat_tail".
Extract Inlined Constant List.fold_right => "Lists.fold_right_tail".
Extract Inlined Constant length => "Lists.length_tail".
Extract Inlined Constant List.combine => "Lists.combine_tail".
Extract Inlined Constant List.seq => "Lists.seq_tail".
Extract Inlined Constant List.repeat => "Lists.repeat_tail".
Extract Inlined Constant total => "Lists.total_tail".
Extract Inlined Constant sum_below => "Lists.sum_below_tail".

(* Vectors are arrays. *)
Extract Inductive vector => "array" [ "Array.of_list" ] "(fun items v -> items (Array.to_list v))".
Extract Inlined Constant at_place => "Integers.entry".
Extract Inlined Constant map_vector => "Array.map".
Extract Inlined Constant tabulate => "Integers.tabulate".
Extract Inlined Constant build => "Integers.build".
Extract Inlined Constant collect => "Integers.collect".

Extraction "verified/extracted.ml" answer has_releases.
