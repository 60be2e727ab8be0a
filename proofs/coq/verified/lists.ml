
(** val add : Integers.t -> Integers.t -> Integers.t **)

let rec add n m =
  (fun zero next n -> if Integers.sign n <= 0 then zero () else next (Integers.pred n))
    (fun _ -> m)
    (fun p -> Integers.succ (add p m))
    n

module Pos =
 struct
  (** val succ : Integers.positive -> Integers.positive **)

  let rec succ = function
  | Integers.XI p -> Integers.XO (succ p)
  | Integers.XO p -> Integers.XI p
  | Integers.XH -> Integers.XO Integers.XH

  (** val add :
      Integers.positive -> Integers.positive -> Integers.positive **)

  let rec add x y =
    match x with
    | Integers.XI p ->
      (match y with
       | Integers.XI q -> Integers.XO (add_carry p q)
       | Integers.XO q -> Integers.XI (add p q)
       | Integers.XH -> Integers.XO (succ p))
    | Integers.XO p ->
      (match y with
       | Integers.XI q -> Integers.XI (add p q)
       | Integers.XO q -> Integers.XO (add p q)
       | Integers.XH -> Integers.XI p)
    | Integers.XH ->
      (match y with
       | Integers.XI q -> Integers.XO (succ q)
       | Integers.XO q -> Integers.XI q
       | Integers.XH -> Integers.XO Integers.XH)

  (** val add_carry :
      Integers.positive -> Integers.positive -> Integers.positive **)

  and add_carry x y =
    match x with
    | Integers.XI p ->
      (match y with
       | Integers.XI q -> Integers.XI (add_carry p q)
       | Integers.XO q -> Integers.XO (add_carry p q)
       | Integers.XH -> Integers.XI (succ p))
    | Integers.XO p ->
      (match y with
       | Integers.XI q -> Integers.XO (add_carry p q)
       | Integers.XO q -> Integers.XI (add p q)
       | Integers.XH -> Integers.XO (succ p))
    | Integers.XH ->
      (match y with
       | Integers.XI q -> Integers.XI (succ q)
       | Integers.XO q -> Integers.XO (succ q)
       | Integers.XH -> Integers.XI Integers.XH)

  (** val pred_double : Integers.positive -> Integers.positive **)

  let rec pred_double = function
  | Integers.XI p -> Integers.XI (Integers.XO p)
  | Integers.XO p -> Integers.XI (pred_double p)
  | Integers.XH -> Integers.XH
 end

module Z =
 struct
  (** val double : Integers.t -> Integers.t **)

  let double x =
    (fun zero pos neg z -> let s = Integers.sign z in if s = 0 then zero ()
    else if s > 0 then pos (Integers.to_positive z) else neg (Integers.to_positive (Integers.neg z)))
      (fun _ -> Integers.zero)
      (fun p -> Integers.of_positive (Integers.XO p))
      (fun p -> (fun p -> Integers.neg (Integers.of_positive p)) (Integers.XO
      p))
      x

  (** val succ_double : Integers.t -> Integers.t **)

  let succ_double x =
    (fun zero pos neg z -> let s = Integers.sign z in if s = 0 then zero ()
    else if s > 0 then pos (Integers.to_positive z) else neg (Integers.to_positive (Integers.neg z)))
      (fun _ -> Integers.of_positive Integers.XH)
      (fun p -> Integers.of_positive (Integers.XI p))
      (fun p -> (fun p -> Integers.neg (Integers.of_positive p))
      (Pos.pred_double p))
      x

  (** val pred_double : Integers.t -> Integers.t **)

  let pred_double x =
    (fun zero pos neg z -> let s = Integers.sign z in if s = 0 then zero ()
    else if s > 0 then pos (Integers.to_positive z) else neg (Integers.to_positive (Integers.neg z)))
      (fun _ -> (fun p -> Integers.neg (Integers.of_positive p))
      Integers.XH)
      (fun p -> Integers.of_positive (Pos.pred_double p))
      (fun p -> (fun p -> Integers.neg (Integers.of_positive p)) (Integers.XI
      p))
      x

  (** val pos_sub : Integers.positive -> Integers.positive -> Integers.t **)

  let rec pos_sub x y =
    match x with
    | Integers.XI p ->
      (match y with
       | Integers.XI q -> double (pos_sub p q)
       | Integers.XO q -> succ_double (pos_sub p q)
       | Integers.XH -> Integers.of_positive (Integers.XO p))
    | Integers.XO p ->
      (match y with
       | Integers.XI q -> pred_double (pos_sub p q)
       | Integers.XO q -> double (pos_sub p q)
       | Integers.XH -> Integers.of_positive (Pos.pred_double p))
    | Integers.XH ->
      (match y with
       | Integers.XI q ->
         (fun p -> Integers.neg (Integers.of_positive p)) (Integers.XO q)
       | Integers.XO q ->
         (fun p -> Integers.neg (Integers.of_positive p)) (Pos.pred_double q)
       | Integers.XH -> Integers.zero)
 end

(** val rev_append : 'a1 list -> 'a1 list -> 'a1 list **)

let rec rev_append l l' =
  match l with
  | [] -> l'
  | a :: l0 -> rev_append l0 (a :: l')

(** val rev' : 'a1 list -> 'a1 list **)

let rev' l =
  rev_append l []

(** val fold_left : ('a1 -> 'a2 -> 'a1) -> 'a2 list -> 'a1 -> 'a1 **)

let rec fold_left f l a0 =
  match l with
  | [] -> a0
  | b :: t -> fold_left f t (f a0 b)

(** val map_tail : ('a1 -> 'a2) -> 'a1 list -> 'a2 list **)

let map_tail f = function
| [] -> []
| x :: l0 ->
  (match l0 with
   | [] -> (f x) :: []
   | y :: l1 ->
     (match l1 with
      | [] -> (f x) :: ((f y) :: [])
      | z0 :: rest ->
        (f x) :: ((f y) :: ((f z0) :: (rev'
                                        (fold_left (fun found u ->
                                          (f u) :: found) rest []))))))

(** val app_tail : 'a1 list -> 'a1 list -> 'a1 list **)

let app_tail l l' =
  match l with
  | [] -> l'
  | x :: l0 ->
    (match l0 with
     | [] -> x :: l'
     | y :: rest ->
       (match rest with
        | [] -> x :: (y :: l')
        | _ :: _ -> x :: (y :: (rev_append (rev_append rest []) l'))))

(** val rev_tail : 'a1 list -> 'a1 list **)

let rev_tail l =
  rev_append l []

(** val filter_tail : ('a1 -> bool) -> 'a1 list -> 'a1 list **)

let filter_tail f l =
  rev_append
    (fold_left (fun found x -> if f x then x :: found else found) l []) []

(** val flat_map_tail : ('a1 -> 'a2 list) -> 'a1 list -> 'a2 list **)

let flat_map_tail f l =
  rev_append (fold_left (fun found x -> rev_append (f x) found) l []) []

(** val concat_tail : 'a1 list list -> 'a1 list **)

let concat_tail l =
  rev_append (fold_left (fun found x -> rev_append x found) l []) []

(** val fold_right_tail : ('a2 -> 'a1 -> 'a1) -> 'a1 -> 'a2 list -> 'a1 **)

let fold_right_tail f a l = match l with
| [] -> a
| x :: l0 ->
  (match l0 with
   | [] -> f x a
   | y :: l1 ->
     (match l1 with
      | [] -> f x (f y a)
      | _ :: _ -> fold_left (fun u x0 -> f x0 u) (rev_append l []) a))

(** val length_from : 'a1 list -> Integers.t -> Integers.t **)

let rec length_from l n =
  match l with
  | [] -> n
  | _ :: rest -> length_from rest (Integers.succ n)

(** val length_tail : 'a1 list -> Integers.t **)

let length_tail l =
  length_from l Integers.zero

(** val combine_from :
    'a1 list -> 'a2 list -> ('a1 * 'a2) list -> ('a1 * 'a2) list **)

let rec combine_from l l' found =
  match l with
  | [] -> rev_append found []
  | x :: rest ->
    (match l' with
     | [] -> rev_append found []
     | y :: rest' -> combine_from rest rest' ((x, y) :: found))

(** val combine_tail : 'a1 list -> 'a2 list -> ('a1 * 'a2) list **)

let combine_tail l l' =
  combine_from l l' []

(** val seq_before :
    Integers.t -> Integers.t -> Integers.t list -> Integers.t list **)

let rec seq_before start count found =
  (fun zero next n -> if Integers.sign n <= 0 then zero () else next (Integers.pred n))
    (fun _ -> found)
    (fun n -> seq_before start n ((add start n) :: found))
    count

(** val seq_tail : Integers.t -> Integers.t -> Integers.t list **)

let seq_tail start count =
  seq_before start count []

(** val repeat_before : 'a1 -> Integers.t -> 'a1 list -> 'a1 list **)

let rec repeat_before x n found =
  (fun zero next n -> if Integers.sign n <= 0 then zero () else next (Integers.pred n))
    (fun _ -> found)
    (fun m -> repeat_before x m (x :: found))
    n

(** val repeat_tail : 'a1 -> Integers.t -> 'a1 list **)

let repeat_tail x n =
  repeat_before x n []

(** val total_tail : ('a1 -> Integers.t) -> 'a1 list -> Integers.t **)

let total_tail f l =
  fold_left (fun n x -> Integers.add n (f x)) l Integers.zero

(** val sum_below_from :
    Integers.t -> (Integers.t -> Integers.t) -> Integers.t -> Integers.t **)

let rec sum_below_from n f found =
  (fun zero next n -> if Integers.sign n <= 0 then zero () else next (Integers.pred n))
    (fun _ -> found)
    (fun m -> sum_below_from m f (Integers.add found (f m)))
    n

(** val sum_below_tail :
    Integers.t -> (Integers.t -> Integers.t) -> Integers.t **)

let sum_below_tail n f =
  sum_below_from n f Integers.zero
