(* Strict JSON, as far as certificates need it: no null, true or false; integers of at most 40 characters and no
   other numbers; no key twice.  Texts stay as they are written, with their escapes.

   Nothing is proved here (see Reading.v).  That texts are UTF-8 and have no control characters but blanks is
   seen to before. *)

From Coq Require Import ZArith List Bool String Ascii.
Import ListNotations.
Open Scope string_scope.
Open Scope Z_scope.

Inductive json :=
  | Number (n : Z)
  | Text (s : string)
  | Items (l : list json)
  | Members (l : list (string * json)).

Inductive result (A : Type) := Read (a : A) | Wrong (why : string).
Arguments Read {A} _.
Arguments Wrong {A} _.

Definition bind {A B : Type} (x : result A) (f : A -> result B) : result B :=
  match x with Read a => f a | Wrong why => Wrong why end.
Notation "'let!' x := e 'in' f" := (bind e (fun x => f)) (at level 200, x name, right associativity).
Notation "'let!' ' x := e 'in' f" := (bind e (fun x => f)) (at level 200, x strict pattern, right associativity).

(* The length of a list, and n.  Files have millions of characters: whatever goes through one calls itself last, so
   that the program needs no stack for it. *)
Fixpoint counted {A : Type} (l : list A) (n : Z) : Z :=
  match l with [] => n | _ :: rest => counted rest (n + 1) end.

Definition max_characters : Z := 40.
Definition max_depth : Z := 900.
Definition max_members : Z := 100.

(* --- Characters -------------------------------------------------------------------------- *)

Definition any_of (characters : string) : list ascii := list_ascii_of_string characters.
Definition is_any (characters : list ascii) (c : ascii) : bool := existsb (Ascii.eqb c) characters.

Definition digits : list (ascii * Z) := combine (any_of "0123456789") [0; 1; 2; 3; 4; 5; 6; 7; 8; 9].
Definition digit_value (c : ascii) : option Z := option_map snd (find (fun x => Ascii.eqb c (fst x)) digits).
Definition hex_digits : list ascii := any_of "0123456789abcdefABCDEF".
Definition quote : ascii := ascii_of_nat 34.
Definition backslash : ascii := ascii_of_nat 92.
Definition line_ends : list ascii := [ascii_of_nat 9; ascii_of_nat 10; ascii_of_nat 13].
Definition blanks : list ascii := ascii_of_nat 32 :: line_ends.
Definition escapes : list ascii := quote :: backslash :: any_of "/bfnrt".
Definition fractional : list ascii := any_of ".eE".

Fixpoint skip (l : list ascii) : list ascii :=
  match l with c :: rest => if is_any blanks c then skip rest else l | [] => [] end.

(* --- Texts and numbers ------------------------------------------------------------------- *)

(* From after the quotation mark on, what is found last first. *)
Fixpoint text_from (l found : list ascii) : result (string * list ascii) :=
  match l with
  | [] => Wrong "is not JSON: no end of a text"
  | c :: rest =>
      if Ascii.eqb c quote then Read (string_of_list_ascii (rev' found), rest)
      else if Ascii.eqb c backslash then
        match rest with
        | e :: rest' =>
            if is_any escapes e then text_from rest' (e :: c :: found)
            else match rest' with
              | x1 :: x2 :: x3 :: x4 :: rest'' =>
                  if Ascii.eqb e "u" && forallb (is_any hex_digits) [x1; x2; x3; x4]
                  then text_from rest'' (x4 :: x3 :: x2 :: x1 :: e :: c :: found)
                  else Wrong "is not JSON: a bad escape"
              | _ => Wrong "is not JSON: a bad escape"
              end
        | [] => Wrong "is not JSON: a bad escape"
        end
      else if is_any line_ends c then Wrong "is not JSON: a control character in a text"
      else text_from rest (c :: found)
  end.

(* An integer after its sign, the first `length` characters of which are found. *)
Fixpoint digits_from (l : list ascii) (length n : Z) : result (Z * list ascii) :=
  if max_characters <? length then Wrong "a number has more than 40 digits"
  else match l with
    | c :: rest =>
        match digit_value c with
        | Some d => digits_from rest (length + 1) (10 * n + d)
        | None => if is_any fractional c then Wrong "numbers must be integers" else Read (n, l)
        end
    | [] => Read (n, [])
    end.

Definition number_from (l : list ascii) : result (Z * list ascii) :=
  let (negative, digits) := match l with
    | c :: rest => if Ascii.eqb c "-" then (true, rest) else (false, l)
    | [] => (false, [])
    end in
  match digits with
  | [] => Wrong "is not JSON: ends too early"
  | c :: rest =>
      match digit_value c with
      | None => Wrong "is not JSON: a text, integer, list or object is missing"
      | Some d =>
          let follows := match rest with c' :: _ => if digit_value c' then true else false | [] => false end in
          if (d =? 0) && follows then Wrong "is not JSON: a zero before a number"
          else let! ' (n, rest') := digits_from digits (if negative then 1 else 0) 0 in
            Read (if negative then - n else n, rest')
      end
  end.

(* --- Values ------------------------------------------------------------------------------ *)

(* What stands before a character, and what follows. *)
Definition expect (c : ascii) (l : list ascii) : option (list ascii) :=
  match skip l with x :: rest => if Ascii.eqb x c then Some rest else None | [] => None end.

Fixpoint value_from (fuel : nat) (depth : Z) (l : list ascii) : result (json * list ascii) :=
  match fuel, skip l with
  | S fuel', c :: rest =>
      if max_depth <? depth then Wrong "is not JSON that can be read: nested too deeply"
      else if Ascii.eqb c "{" then
        match expect "}" rest with
        | Some rest' => Read (Members [], rest')
        | None => members_from fuel' (depth + 1) rest []
        end
      else if Ascii.eqb c "[" then
        match expect "]" rest with
        | Some rest' => Read (Items [], rest')
        | None => items_from fuel' (depth + 1) rest []
        end
      else if Ascii.eqb c quote then let! ' (s, rest') := text_from rest [] in Read (Text s, rest')
      else let! ' (n, rest') := number_from (c :: rest) in Read (Number n, rest')
  | _, _ => Wrong "is not JSON: ends too early"
  end
with items_from (fuel : nat) (depth : Z) (l : list ascii) (found : list json) : result (json * list ascii) :=
  match fuel with
  | O => Wrong "is not JSON: ends too early"
  | S fuel' =>
      let! ' (x, rest) := value_from fuel' depth l in
      match expect "," rest, expect "]" rest with
      | Some rest', _ => items_from fuel' depth rest' (x :: found)
      | _, Some rest' => Read (Items (rev' (x :: found)), rest')
      | None, None => Wrong "is not JSON: a comma is missing"
      end
  end
with members_from (fuel : nat) (depth : Z) (l : list ascii) (found : list (string * json)) : result (json * list ascii) :=
  match fuel, expect quote l with
  | S fuel', Some rest =>
      let! ' (key, rest1) := text_from rest [] in
      match expect ":" rest1 with
      | None => Wrong "is not JSON: a colon is missing"
      | Some rest2 =>
          if existsb (fun x => String.eqb key (fst x)) found then Wrong ("a key appears twice: """ ++ key ++ """")
          else if max_members <=? Z.of_nat (List.length found) then Wrong "an object has too many keys"
          else
            let! ' (x, rest3) := value_from fuel' depth rest2 in
            match expect "," rest3, expect "}" rest3 with
            | Some rest', _ => members_from fuel' depth rest' ((key, x) :: found)
            | _, Some rest' => Read (Members (rev' ((key, x) :: found)), rest')
            | None, None => Wrong "is not JSON: a comma is missing"
            end
      end
  | _, _ => Wrong "is not JSON: a key is missing"
  end.

Definition parse (text : string) : result json :=
  let l := list_ascii_of_string text in
  let! ' (found, rest) := value_from (Z.to_nat (2 * counted l 0 + 10)) 0 l in
  match skip rest with [] => Read found | _ => Wrong "is not JSON: something is left over" end.
