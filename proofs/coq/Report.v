(* What kvopt-verified says of a file.  `answer` reads it, checks it, and says what it claims, in words and in
   numbers; by `answer_sound` that has been proved. *)

From Coq Require Import ZArith QArith List Bool String.
From Kvopt Require Import Model Checker Gsa Slices Json Reading.
Import ListNotations.
Open Scope string_scope.
Open Scope Z_scope.

(* --- Integers in decimal digits ---------------------------------------------------------- *)

Definition digit_of (d : Z) : string := nth (Z.to_nat d) ["0"; "1"; "2"; "3"; "4"; "5"; "6"; "7"; "8"; "9"] "".
Fixpoint digits_before (fuel : nat) (n : Z) (after : string) : string :=
  let all := digit_of (n mod 10) ++ after in
  match fuel with
  | S fuel' => if n <? 10 then all else digits_before fuel' (n / 10) all
  | O => all
  end.
Definition shown (n : Z) : string :=
  if n <? 0 then "-" ++ digits_before (Z.to_nat (Z.log2 (- n))) (- n) "" else digits_before (Z.to_nat (Z.log2 n)) n "".

Definition shown_fraction (x : Q) : string :=
  let d := Z.gcd (Qnum x) (Zpos (Qden x)) in
  let q := Zpos (Qden x) / d in
  shown (Qnum x / d) ++ if q =? 1 then "" else "/" ++ shown q.

(* --- Answers ----------------------------------------------------------------------------- *)

Record answered := Answered {
  in_words : string;
  by_rule : string;
  low_bound : option string;
  high_bound : option string;
  states_seen : option string
}.

Definition words_of (c : certificate) (rule : string) : string :=
  let found := match high c with
    | Some (upper, _) =>
        if upper =? low c then shown upper
        else "at least " ++ shown (low c) ++ " and at most " ++ shown upper
    | None => "at least " ++ shown (low c)
    end in
  "the optimum is " ++ found ++ " (" ++ rule ++ ")".

Definition of_bracket (rule : string) (c : certificate) : result answered :=
  let (found, looked_at) := check c in
  match found with
  | Holds => Read (Answered (words_of c rule) rule (Some (shown (low c)))
      (option_map (fun x => shown (fst x)) (high c))
      (if String.eqb rule "exhaustive" then Some (shown looked_at) else None))
  | Refused_instance => Wrong "instance: a number is out of range"
  | Refused_releases => Wrong ("proof.rule: " ++ rule ++ " is not proved for releases after time 0")
  | Refused_starts => Wrong "starts: are no schedule"
  | Refused_upper cost => Wrong ("upper_bound: the starts cost " ++ shown cost)
  | Refused_order cost => Wrong ("lower_bound: is " ++ shown (low c) ++ ", the starts cost " ++ shown cost)
  | Refused_proof => Wrong "proof: does not prove the lower bound"
  | Refused_low proved => Wrong ("lower_bound: is " ++ shown (low c) ++ ", the proof gives " ++ shown proved)
  end.

Definition words_of_slices (s : slices) : string :=
  let longest := last_slice (slices_phases s) in
  shown (Z.of_nat (List.length (slices_phases s))) ++ " phases cost at most " ++ shown_fraction (slices_bound s)
  ++ " times the optimum (memory " ++ shown (slices_memory s) ++ ", prompts " ++ shown (slices_prompt s)
  ++ (if slices_prompt s + longest =? slices_memory s then "" else ", outputs <= " ++ shown longest) ++ ")".

Definition of_slices (s : slices) : result answered :=
  if check_slices (slices_prompt s) (slices_memory s) (slices_weight s) (slices_factor s) (slices_bound s)
       (slices_phases s)
  then Read (Answered (words_of_slices s) "slices" None None None)
  else Wrong "slices: do not prove the bound".

(* `digest` gives the hash of an instance, of its memory and groups. *)
Definition answer (digest : Z -> list (request * Z) -> string) (content : string) : result answered :=
  let! j := parse content in
  let! found := read_file j in
  match found with
  | Bracket rule sha c =>
      let right := digest (memory_size c) (groups c) in
      if String.eqb sha right then of_bracket rule c else Wrong ("instance_sha256: the instance has " ++ right)
  | Slices s => of_slices s
  end.

(* What is said of a file is true of what was read there. *)
Theorem answer_sound digest content a : answer digest content = Read a -> exists j, parse content = Read j /\ (
  (exists rule c, read_file j = Read (Bracket rule (digest (memory_size c) (groups c)) c) /\ claim c
    /\ in_words a = words_of c rule) \/
  (exists s, read_file j = Read (Slices s)
    /\ ratio_at_most (slices_bound s) (slices_prompt s) (slices_memory s) (slices_phases s)
    /\ in_words a = words_of_slices s)).
Proof.
  unfold answer, bind. destruct (parse content) as [j|why]; [|discriminate].
  destruct (read_file j) as [[rule sha c|s]|why] eqn:Ej; try discriminate; intros H; exists j; (split; [reflexivity|]).
  - left. destruct (String.eqb_spec sha (digest (memory_size c) (groups c))) as [->|]; [|discriminate].
    exists rule, c. split; [exact Ej|]. unfold of_bracket in H.
    destruct (check c) as [found looked_at] eqn:E. destruct found; try discriminate.
    split; [apply check_sound; rewrite E; reflexivity|]. inversion H. reflexivity.
  - right. exists s. split; [exact Ej|]. unfold of_slices in H.
    destruct (check_slices _ _ _ _ _ _) eqn:E; [|discriminate].
    split; [apply (check_slices_sound _ _ _ _ _ _ E)|]. inversion H. reflexivity.
Qed.
