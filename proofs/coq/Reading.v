(* From JSON to certificates, as FORMAT.md has them: what is read is a `certificate`, or slices, or a refusal.

   Nothing is proved here.  A proof that is read wrongly proves nothing false, as `check_sound` holds for any; what has
   to be read rightly are `read_instance` and, in `read_certificate`, the bounds and the starts. *)

From Coq Require Import ZArith QArith List Bool String Ascii.
From Kvopt Require Import EventOrder Model Prices Propagation Checker Gsa Json.
Import ListNotations.
Open Scope string_scope.
Open Scope Z_scope.

(* Readers get the place of a value, for what they say of it. *)
Definition reader (A : Type) : Type := string -> json -> result A.

(* --- Values ------------------------------------------------------------------------------ *)

Definition integer : reader Z := fun place j =>
  match j with Number n => Read n | _ => Wrong (place ++ ": must be an integer") end.
Definition natural : reader Z := fun place j =>
  match j with
  | Number n => if 0 <=? n then Read n else Wrong (place ++ ": must be an integer from 0")
  | _ => Wrong (place ++ ": must be an integer from 0")
  end.
Definition text : reader string := fun place j =>
  match j with Text s => Read s | _ => Wrong (place ++ ": must be a text") end.
Definition listed : reader (list json) := fun place j =>
  match j with Items l => Read l | _ => Wrong (place ++ ": must be a list") end.

(* What is found is found last first. *)
Fixpoint each_from {A B : Type} (f : A -> result B) (l : list A) (found : list B) : result (list B) :=
  match l with
  | [] => Read (rev' found)
  | x :: rest => let! y := f x in each_from f rest (y :: found)
  end.
Definition each {A B : Type} (f : A -> result B) (l : list A) : result (list B) := each_from f l [].
Definition several {A : Type} (r : reader A) : reader (list A) := fun place j =>
  let! l := listed place j in each (r place) l.
Definition integers : reader (list Z) := several integer.

Definition pair_of {A B : Type} (first : reader A) (second : reader B) : reader (A * B) := fun place j =>
  match j with
  | Items [a; b] => let! x := first place a in let! y := second place b in Read (x, y)
  | _ => Wrong (place ++ ": must hold lists of 2")
  end.
Definition rows : reader (list (Z * Z)) := several (pair_of integer integer).
Definition series : reader (list (Z * list Z)) := several (pair_of integer integers).

Definition cover : reader (Z * Z * Z) := fun place j =>
  let! l := integers place j in
  match l with [level; time; p] => Read (level, time, p) | _ => Wrong (place ++ ": must hold lists of 3 integers") end.

(* [prompt, output, number], or [prompt, output, release, number]. *)
Definition with_number (released : bool) : reader (request * Z) := fun place j =>
  let! l := integers place j in
  match l, released with
  | [s; o; x], false => Read (RequestAt s o 0, x)
  | [s; o; a; x], true => Read (RequestAt s o a, x)
  | _, false => Wrong (place ++ ": must hold lists of 3 integers")
  | _, true => Wrong (place ++ ": must hold lists of 4 integers")
  end.

(* --- Objects ----------------------------------------------------------------------------- *)

Definition member (key : string) (l : list (string * json)) : option json :=
  option_map snd (find (fun x => String.eqb key (fst x)) l).
Definition has (key : string) (j : json) : bool :=
  match j with Members l => if member key l then true else false | _ => false end.
Definition among (keys : list string) (key : string) : bool := existsb (String.eqb key) keys.

(* What stands before the keys of an object, when they are named, and its members. *)
Definition object : Type := string * list (string * json).

Definition members_of (place : string) (required optional : list string) (j : json) : result (list (string * json)) :=
  match j with
  | Members l =>
      match find (fun x => negb (among (required ++ optional) (fst x))) l with
      | Some x => Wrong (place ++ ": has an unknown key """ ++ fst x ++ """")
      | None =>
          match find (fun key => negb (has key j)) required with
          | Some key => Wrong (place ++ ": has no '" ++ key ++ "'")
          | None => Read l
          end
      end
  | _ => Wrong (place ++ ": must be an object")
  end.
Definition fields (place : string) (required optional : list string) (j : json) : result object :=
  let! l := members_of place required optional j in Read (place ++ ".", l).

Definition get {A : Type} (o : object) (key : string) (r : reader A) : result A :=
  match member key (snd o) with Some j => r (fst o ++ key) j | None => Wrong (fst o ++ key ++ ": is missing") end.
Definition get_or {A : Type} (none : A) (o : object) (key : string) (r : reader A) : result A :=
  match member key (snd o) with Some j => r (fst o ++ key) j | None => Read none end.

(* --- Duals and trees --------------------------------------------------------------------- *)

(* Rows of the same heights, with duals, or with knots between which they are linear. *)
Definition family_of : reader family := fun place j =>
  let knots := has "knots" j in
  let key := if knots then "knots" else "duals" in
  let! l := members_of place ["heights"; key] [] j in
  let o := (place ++ ".", l) in
  let! heights := get o "heights" rows in
  let! duals := get o key rows in
  Read (Family heights knots duals).

Definition duals_of (o : object) : result node_duals :=
  let! families := get_or [] o "first_completion" (several family_of) in
  let! memory := get o "memory" rows in
  let! covers := get o "covers" (several cover) in
  let! branch := get o "branch" integers in
  Read (NodeDuals families memory covers branch).
Definition duals_keys : list string := ["memory"; "covers"; "branch"].

(* A tree in preorder, and what is left of the list. *)
Fixpoint tree_from (place : string) (depth : nat) (l : list json) : result (tree * list json) :=
  match depth, l with
  | _, [] => Wrong (place ++ ": ends with subtrees missing")
  | O, _ => Wrong (place ++ ": is deeper than 1000")
  | S depth', node :: rest =>
      if has "split" node then
        let! o := fields place ["split"; "at_most"] [] node in
        let! listed := get o "split" (several (with_number false)) in
        let! most := get o "at_most" integer in
        let! ' (few, rest) := tree_from place depth' rest in
        let! ' (many, rest) := tree_from place depth' rest in
        Read (Split listed most few many, rest)
      else
        let! o := fields place duals_keys ["first_completion"] node in
        let! d := duals_of o in
        Read (LeafWith (of_families d) (of_memory d) (of_covers d) (of_branch d), rest)
  end.

(* The same of "propagation": each node may have duals, and splits are of one type. *)
Fixpoint domains_from (place : string) (depth : nat) (l : list json) : result (domain_tree * list json) :=
  match depth, l with
  | _, [] => Wrong (place ++ ": ends with subtrees missing")
  | O, _ => Wrong (place ++ ": is deeper than 1000")
  | S depth', node :: rest =>
      let split := has "split" node in
      let own := has "memory" node in
      let! o := fields place ((if split then ["split"; "at_most"] else []) ++ if own then duals_keys else [])%list
        (if own then ["first_completion"] else []) node in
      let! duals := if own then let! d := duals_of o in Read (Some d) else Read None in
      if split then
        let! listed := get o "split" (several (with_number false)) in
        let! most := get o "at_most" integer in
        match listed with
        | [(q, until)] =>
            let! ' (few, rest) := domains_from place depth' rest in
            let! ' (many, rest) := domains_from place depth' rest in
            Read (DomainSplit duals q until most few many, rest)
        | _ => Wrong (place ++ ".split: must be of one type")
        end
      else Read (DomainLeaf duals, rest)
  end.

Definition whole_list {A : Type} (depth : list json -> nat)
    (from : string -> nat -> list json -> result (A * list json)) : reader A := fun place j =>
  let! l := listed place j in
  let! ' (found, rest) := from place (depth l) l in
  match rest with [] => Read found | _ => Wrong (place ++ ": goes on after its end") end.

(* --- Trees of event-order ---------------------------------------------------------------- *)

(* Request i is named i + 1; there are 64 at most. *)
Definition request_name : reader positive := fun place j =>
  match j with
  | Number i =>
      if (0 <=? i) && (i <? 64) then Read (Z.to_pos (i + 1))
      else Wrong (place ++ ": a request is named by an integer from 0 to 63")
  | _ => Wrong (place ++ ": a request is named by an integer from 0 to 63")
  end.

(* For each kind of row how what stands after it is read. *)
Definition event_rows : list (string * (string -> list json -> result event_row)) := [
  ("gap", fun place l =>
    let! names := each (request_name place) l in
    match names with [a; b] => Read (GapRow a b) | _ => Wrong (place ++ ": a gap is of two requests") end);
  ("end", fun place l =>
    let! names := each (request_name place) l in
    match names with [i] => Read (EndRow i) | _ => Wrong (place ++ ": an end is of one request") end);
  ("memory", fun place l =>
    let! names := each (request_name place) l in
    match names with j :: running => Read (MemoryRow j running) | [] => Wrong (place ++ ": names no request") end);
  ("area", fun place l =>
    match l with
    | Number e :: chosen => let! names := each (request_name place) chosen in Read (AreaRow e names)
    | _ => Wrong (place ++ ": an area has a round")
    end);
  ("cover", fun place l =>
    match l with
    | Number m :: Number e :: chosen =>
        if (1 <=? m) && (m <=? 64) then let! names := each (request_name place) chosen in Read (CoverRow m e names)
        else Wrong (place ++ ": the level of covers is from 1 to 64")
    | _ => Wrong (place ++ ": covers have a level and a round")
    end);
  ("price", fun place l =>
    match l with [Number k] => Read (PriceRow k) | _ => Wrong (place ++ ": a price is one of the prices") end)
].

Definition event_row_of : reader (Z * event_row) := fun place j =>
  match j with
  | Items (Number y :: Text kind :: numbers) =>
      match find (fun x => String.eqb kind (fst x)) event_rows with
      | Some (_, read) => let! x := read place numbers in Read (y, x)
      | None => Wrong (place ++ ": """ ++ kind ++ """ is no kind of row that this checker proves")
      end
  | _ => Wrong (place ++ ": a row has a multiplier and a kind")
  end.

(* No path is longer than the list. *)
Fixpoint events_from (place : string) (depth : nat) (l : list json) : result (event_tree * list json) :=
  match depth, l with
  | _, [] | O, _ => Wrong (place ++ ": ends with subtrees missing")
  | S depth', node :: rest =>
      if has "rows" node then
        let! o := fields place ["rows"] [] node in
        let! rows := get o "rows" (several event_row_of) in
        Read (EventLeaf rows, rest)
      else if has "start" node then
        let! o := fields place ["start"] [] node in
        let! ' (i, t) := get o "start" (pair_of request_name integer) in
        let! ' (early, rest) := events_from place depth' rest in
        let! ' (late, rest) := events_from place depth' rest in
        Read (StartBy i t early late, rest)
      else
        let! o := fields place ["at"] [] node in
        let! ' (k, j) := get o "at" (pair_of request_name request_name) in
        let! ' (before, rest) := events_from place depth' rest in
        let! ' (running, rest) := events_from place depth' rest in
        let! ' (after, rest) := events_from place depth' rest in
        Read (AtCompletion k j before running after, rest)
  end.

(* Duals of which prices are made: a leaf without splits above it. *)
Definition prices_from : reader node_duals := fun place j =>
  let! o := fields place duals_keys ["first_completion"] j in duals_of o.

(* A set of duals, and the time from which on it is used. *)
Definition dual_set_of : reader (Z * list (request * Z)) := fun place j =>
  let! o := fields place ["from"; "duals"] [] j in
  let! begin := get o "from" integer in
  let! duals := get o "duals" (several (with_number true)) in
  Read (begin, duals).

(* --- Proofs: for each rule its keys, and how they are read ------------------------------- *)

Definition rule_table (released : bool) : list (string * (list string * (object -> result evidence))) := [
  ("busy-time", (["weights"], fun o =>
    let! weights := get o "weights" text in
    if among ["memory"; "slots"] weights then Read (BusyTime (String.eqb weights "slots"))
    else Wrong "proof.weights: must be memory or slots"));
  ("exhaustive", (["states"], fun o => let! most := get o "states" integer in Read (Exhaustive most)));
  ("linear-duals", (["scale"; "tree"], fun o =>
    let! scale := get o "scale" integer in
    let! nodes := get o "tree" (whole_list (fun _ => Z.to_nat 1001) tree_from) in
    Read (LinearDuals scale nodes)));
  ("propagation", (["scale"; "horizon"; "cutoff"; "tree"], fun o =>
    let! scale := get o "scale" integer in
    let! horizon := get o "horizon" integer in
    let! cutoff := get o "cutoff" integer in
    let! nodes := get o "tree" (whole_list (fun _ => Z.to_nat 1001) domains_from) in
    Read (Propagation scale horizon cutoff nodes)));
  ("aggregate-state", (["scale"; "start"; "duals"; "covers"; "second_moments"], fun o =>
    let! scale := get o "scale" integer in
    let! starts := get o "start" series in
    let! duals := get o "duals" (several (with_number false)) in
    let! covers := get o "covers" series in
    let! moments := get o "second_moments" integers in
    Read (AggregateState scale starts duals covers moments)));
  ("demand-duals", (["scale"; "duals"], fun o =>
    let! scale := get o "scale" integer in
    let! duals := get o "duals" (several (with_number released)) in
    Read (DemandDuals scale duals)));
  ("blocks", (["scale"; "memory"; "blocks"], fun o =>
    let! scale := get o "scale" integer in
    let! memory := get o "memory" rows in
    let! blocks := get o "blocks" (several (several (with_number false))) in
    Read (Blocks scale memory blocks)));
  ("batch-state", (["scale"; "horizon"; "duals"; "nodes"], fun o =>
    let! scale := get o "scale" integer in
    let! horizon := get o "horizon" integer in
    let! duals := get o "duals" (several (with_number released)) in
    let! nodes := get o "nodes" integer in
    Read (BatchState scale horizon duals nodes)));
  ("dominance", (["scale"; "horizon"; "duals"; "nodes"], fun o =>
    let! scale := get o "scale" integer in
    let! horizon := get o "horizon" integer in
    let! sets := get o "duals" (several dual_set_of) in
    let! nodes := get o "nodes" integer in
    Read (Dominance scale horizon sets nodes)));
  ("event-order", (["scale"; "tree"], fun o =>
    let! scale := get o "scale" integer in
    let! prices := get_or [] o "prices" (several prices_from) in
    let! nodes := get o "tree" (whole_list (fun l => Z.to_nat (counted l 0)) events_from) in
    Read (EventOrder scale prices nodes)))
].

Definition read_proof (released : bool) (j : json) : result (string * evidence) :=
  let rule := match j with
    | Members l => match member "rule" l with Some (Text s) => s | _ => "" end
    | _ => ""
    end in
  match find (fun x => String.eqb rule (fst x)) (rule_table released) with
  | Some (_, (keys, read)) =>
      let! o := fields "proof" ("rule" :: keys) (if String.eqb rule "event-order" then ["prices"] else []) j in
      let! p := read o in
      Read (rule, p)
  | None => Wrong (match j with
      | Members _ => "proof.rule: is not one that this checker proves"
      | _ => "proof: must be an object"
      end)
  end.

(* --- Instances and certificates ---------------------------------------------------------- *)

Definition group_of : reader (request * Z) := fun place j =>
  let! l := members_of place ["prompt"; "output"] ["count"; "release"] j in
  let o := (place ++ ".", l) in
  let! s := get o "prompt" integer in
  let! output := get o "output" integer in
  let! count := get_or 1 o "count" integer in
  let! a := get_or 0 o "release" integer in
  Read (RequestAt s output a, count).

Definition has_releases (groups : list (request * Z)) : bool := existsb (fun x => 0 <? release (fst x)) groups.

Definition read_instance (j : json) : result (Z * list (request * Z)) :=
  let! o := fields "instance" ["memory"; "requests"] ["format"; "name"; "comment"; "source"] j in
  let! _ := each (fun key => get_or "" o key text) ["name"; "comment"; "source"] in
  let! memory := get o "memory" integer in
  let! groups := get o "requests" (several group_of) in
  let known := if has_releases groups then "kvopt-instance/2" else "kvopt-instance/1" in
  let! format := get_or known o "format" text in
  if negb (instance_ok memory groups) then Wrong "instance: a number is out of range"
  else if String.eqb format known then Read (memory, groups)
  else Wrong ("instance.format: must be '" ++ known ++ "'").

(* The name of the rule, the hash that the file gives, and the certificate. *)
Definition read_certificate (j : json) : result (string * string * certificate) :=
  let! l := members_of "certificate" ["format"; "instance"; "instance_sha256"; "lower_bound"; "proof"]
    ["upper_bound"; "starts"] j in
  let o := ("", l) in
  let! memory_and_groups := get o "instance" (fun _ => read_instance) in
  let (memory, groups) := memory_and_groups in
  let! sha := get o "instance_sha256" text in
  let! low := get o "lower_bound" natural in
  let! high := match has "upper_bound" j, has "starts" j with
    | false, false => Read None
    | true, true =>
        let! upper := get o "upper_bound" natural in
        let! starts := get o "starts" integers in
        Read (Some (upper, starts))
    | _, _ => Wrong "upper_bound and starts: must both be there, or neither"
    end in
  let! ' (rule, p) := get o "proof" (fun _ => read_proof (has_releases groups)) in
  Read (rule, sha, Certificate memory groups low high p).

(* --- Certified slices -------------------------------------------------------------------- *)

(* A natural number in decimal digits, without zeros before it. *)
Definition decimal (l : list ascii) : result Z :=
  let! ' (n, rest) := number_from l in
  match rest with [] => if is_any (any_of "-") (hd "-"%char l) then Wrong "not a number" else Read n | _ => Wrong "not a number" end.

(* What is before a slash, and what is after it. *)
Fixpoint divided (l : list ascii) : list ascii * list ascii :=
  match l with
  | [] => ([], [])
  | c :: rest => if Ascii.eqb c "/" then ([], rest) else let (p, q) := divided rest in (c :: p, q)
  end.

Definition fraction : reader Q := fun place j =>
  let! s := text place j in
  let (p, q) := divided (list_ascii_of_string s) in
  match decimal p, decimal q with
  | Read n, Read d =>
      if (1 <=? d) && (n <? max_number) && (d <? max_number) then Read (Qmake n (Z.to_pos d))
      else Wrong (place ++ ": must be a text 'p/q' of integers")
  | _, _ => Wrong (place ++ ": must be a text 'p/q' of integers")
  end.

Record slices := SlicesOf {
  slices_prompt : Z;
  slices_memory : Z;
  slices_weight : Q;
  slices_factor : Q;
  slices_bound : Q;
  slices_phases : list gsa_phase
}.

Definition read_slices (j : json) : result slices :=
  let! l := members_of "slices" ["format"; "prompt"; "memory"; "phases"; "area_weight"; "factor"; "bound"] [] j in
  let o := ("", l) in
  let! prompt := get o "prompt" integer in
  let! memory := get o "memory" integer in
  let! weight := get o "area_weight" fraction in
  let! factor := get o "factor" fraction in
  let! bound := get o "bound" fraction in
  let! pairs := get o "phases" (several (pair_of integer fraction)) in
  Read (SlicesOf prompt memory weight factor bound (map (fun x => Phase (fst x) (snd x)) pairs)).

(* --- Files ------------------------------------------------------------------------------- *)

Inductive content :=
  | Bracket (rule sha : string) (c : certificate)
  | Slices (s : slices).

Definition certificate_format : string := "kvopt-certificate/2".
Definition slices_format : string := "kvopt-slices/1".

Definition read_file (j : json) : result content :=
  let format := match j with Members l => member "format" l | _ => None end in
  match format with
  | Some (Text s) =>
      if String.eqb s slices_format then let! s := read_slices j in Read (Slices s)
      else if String.eqb s certificate_format then
        let! ' (rule, sha, c) := read_certificate j in Read (Bracket rule sha c)
      else Wrong ("format: must be '" ++ certificate_format ++ "' for this checker")
  | _ => match j with
      | Members _ => Wrong ("format: must be '" ++ certificate_format ++ "' for this checker")
      | _ => Wrong "certificate: must be an object"
      end
  end.
