
val add : Integers.t -> Integers.t -> Integers.t

module Pos :
 sig
  val succ : Integers.positive -> Integers.positive

  val add : Integers.positive -> Integers.positive -> Integers.positive

  val add_carry : Integers.positive -> Integers.positive -> Integers.positive

  val pred_double : Integers.positive -> Integers.positive
 end

module Z :
 sig
  val double : Integers.t -> Integers.t

  val succ_double : Integers.t -> Integers.t

  val pred_double : Integers.t -> Integers.t

  val pos_sub : Integers.positive -> Integers.positive -> Integers.t
 end

val rev_append : 'a1 list -> 'a1 list -> 'a1 list

val rev' : 'a1 list -> 'a1 list

val fold_left : ('a1 -> 'a2 -> 'a1) -> 'a2 list -> 'a1 -> 'a1

val map_tail : ('a1 -> 'a2) -> 'a1 list -> 'a2 list

val app_tail : 'a1 list -> 'a1 list -> 'a1 list

val rev_tail : 'a1 list -> 'a1 list

val filter_tail : ('a1 -> bool) -> 'a1 list -> 'a1 list

val flat_map_tail : ('a1 -> 'a2 list) -> 'a1 list -> 'a2 list

val concat_tail : 'a1 list list -> 'a1 list

val fold_right_tail : ('a2 -> 'a1 -> 'a1) -> 'a1 -> 'a2 list -> 'a1

val length_from : 'a1 list -> Integers.t -> Integers.t

val length_tail : 'a1 list -> Integers.t

val combine_from :
  'a1 list -> 'a2 list -> ('a1 * 'a2) list -> ('a1 * 'a2) list

val combine_tail : 'a1 list -> 'a2 list -> ('a1 * 'a2) list

val seq_before :
  Integers.t -> Integers.t -> Integers.t list -> Integers.t list

val seq_tail : Integers.t -> Integers.t -> Integers.t list

val repeat_before : 'a1 -> Integers.t -> 'a1 list -> 'a1 list

val repeat_tail : 'a1 -> Integers.t -> 'a1 list

val total_tail : ('a1 -> Integers.t) -> 'a1 list -> Integers.t

val sum_below_from :
  Integers.t -> (Integers.t -> Integers.t) -> Integers.t -> Integers.t

val sum_below_tail : Integers.t -> (Integers.t -> Integers.t) -> Integers.t
