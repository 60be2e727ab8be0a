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

(* A request: its prompt s and its output o, in tokens, and its release a, the time from which
   on it may be served. *)
Record request := RequestAt { prompt : Z; output : Z; release : Z }.

(* One that is released at time 0. *)
Notation Request s o := (RequestAt s o 0).

(* An attempt to serve a request: the request, and the time p at which the attempt starts. *)
Record attempt := Attempt { of : request; start : Z }.

(* The time at which an attempt completes, C = p + o, if it is not killed. *)
Definition completion (a : attempt) : Z := start a + output (of a).

(* The tokens that it then uses in round r: s + r - p if p < r <= p + o, otherwise none. *)
Definition use (a : attempt) (r : Z) : Z :=
  if (start a <? r) && (r <=? completion a) then prompt (of a) + r - start a else 0.

(* The tokens that attempts use in round r. *)
Definition memory (l : list attempt) (r : Z) : Z := total (fun a => use a r) l.

(* Prompts are >= 0, outputs >= 1, releases >= 0, and nothing starts before its release. *)
Definition valid_request (q : request) : Prop := 0 <= prompt q /\ 1 <= output q.
Definition valid (a : attempt) : Prop := valid_request (of a) /\ 0 <= release (of a) <= start a.

(* Attempts fit into the memory M if in every round at most M tokens are in use. *)
Definition fits (M : Z) (l : list attempt) : Prop := forall r, memory l r <= M.

(* A schedule without kills of a list of requests: one attempt for each of them, in their
   order, each of which runs to its end, and all together fit into the memory. *)
Definition schedule (M : Z) (requests : list request) (l : list attempt) : Prop :=
  map of l = requests /\ Forall valid l /\ fits M l.

(* An attempt that is killed, and the number of rounds after which it is. *)
Record kill := Kill { victim : attempt; after : Z }.

(* The tokens that it uses in round r: none after the first x of its rounds. *)
Definition use_until (k : kill) (r : Z) : Z :=
  if r <=? start (victim k) + after k then use (victim k) r else 0.

(* An attempt is killed before its end, and is one to serve a request of the instance. *)
Definition valid_kill (requests : list request) (k : kill) : Prop :=
  In (of (victim k)) requests /\ valid (victim k) /\ 0 <= after k < output (of (victim k)).

(* A schedule with kills: the attempts that complete, one for each request, in their order,
   and any number of others that are killed; all together fit into the memory.  (That a
   killed attempt ends before the next one of the same request starts is not even asked.) *)
Definition schedule_with_kills
    (M : Z) (requests : list request) (l : list attempt) (killed : list kill) : Prop :=
  map of l = requests /\ Forall valid l /\ Forall (valid_kill requests) killed /\
  forall r, memory l r + total (fun k => use_until k r) killed <= M.

(* The cost of a schedule: its total latency, the sum of completion minus release over its
   requests. *)
Definition cost (l : list attempt) : Z := total (fun a => completion a - release (of a)) l.

(* The sum of the completion times.  It is the cost if everything is released at time 0. *)
Definition completions (l : list attempt) : Z := total completion l.

(* All requests are released at time 0. *)
Definition at_once (requests : list request) : Prop :=
  forall q, In q requests -> release q = 0.

(* The area of a run of o rounds, (s + 1) + (s + 2) + ... + (s + o) token-rounds. *)
Definition vol (s o : Z) : Z := s * o + o * (o + 1) / 2.

(* The area of a request, v_i in the documents. *)
Definition area (q : request) : Z := vol (prompt q) (output q).

(* a / b rounded up, for b > 0; a / b itself is rounded down, as / of Z always is. *)
Definition ceil_div (a b : Z) : Z := - ((- a) / b).
