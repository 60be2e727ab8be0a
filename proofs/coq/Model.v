(* The model: requests, attempts, memory, schedules, cost.

   Everything else in this folder speaks about these definitions, so this is the file to
   read with care.  Z is the type of all integers, Q that of all fractions.  Rounds are
   1, 2, 3, ...; round r lasts from time r - 1 to time r. *)

From Coq Require Import ZArith List Bool.
Import ListNotations.
Open Scope Z_scope.

(* The sum of f x over the x of a list, counted as often as they occur in it. *)
Fixpoint total {A : Type} (f : A -> Z) (l : list A) : Z :=
  match l with
  | [] => 0
  | x :: rest => f x + total f rest
  end.

(* A request: its prompt s and its output o, in tokens. *)
Record request := Request { prompt : Z; output : Z }.

(* An attempt to serve a request: the request, and the time p at which the attempt starts. *)
Record attempt := Attempt { of : request; start : Z }.

(* The time at which an attempt completes, C = p + o. *)
Definition completion (a : attempt) : Z := start a + output (of a).

(* The tokens that an attempt uses in round r: s + r - p if p < r <= p + o, otherwise none. *)
Definition use (a : attempt) (r : Z) : Z :=
  if (start a <? r) && (r <=? completion a) then prompt (of a) + r - start a else 0.

(* The tokens in use in round r. *)
Definition memory (l : list attempt) (r : Z) : Z := total (fun a => use a r) l.

(* Prompts are >= 0, outputs >= 1, and nothing starts before time 0. *)
Definition valid_request (q : request) : Prop := 0 <= prompt q /\ 1 <= output q.
Definition valid (a : attempt) : Prop := valid_request (of a) /\ 0 <= start a.

(* Attempts fit into the memory M if in every round at most M tokens are in use. *)
Definition fits (M : Z) (l : list attempt) : Prop := forall r, memory l r <= M.

(* A schedule without kills of a list of requests: one attempt for each of them, in their
   order, each of which runs to its end, and all together fit into the memory. *)
Definition schedule (M : Z) (requests : list request) (l : list attempt) : Prop :=
  map of l = requests /\ Forall valid l /\ fits M l.

(* A schedule with kills: besides these attempts there are others, which are killed.  One
   that is killed after x rounds stands here as an attempt of x rounds, so its "output"
   is x.  Which requests they belong to, and how many of them there are, does not matter. *)
Definition schedule_with_kills
    (M : Z) (requests : list request) (l killed : list attempt) : Prop :=
  map of l = requests /\ Forall valid (l ++ killed) /\ fits M (l ++ killed).

(* The cost of a schedule: the sum of the completion times of its requests. *)
Definition cost (l : list attempt) : Z := total completion l.

(* The area of a run of o rounds, (s + 1) + (s + 2) + ... + (s + o) token-rounds. *)
Definition vol (s o : Z) : Z := s * o + o * (o + 1) / 2.

(* The area of a request, v_i in the documents. *)
Definition area (q : request) : Z := vol (prompt q) (output q).

(* a / b rounded up, for b > 0; a / b itself is rounded down, as / of Z always is. *)
Definition ceil_div (a b : Z) : Z := - ((- a) / b).
