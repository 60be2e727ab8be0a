(* Batches and their numbers, for the rule "batch-state" (Batches.v).

   A batch is a list of codes, those who run: one with prompt s that has run for j rounds has the code j W + s,
   where W is more than any prompt.  Codes ascend.  `find_batches` gives numbers to batches, the smaller ones first;
   nothing is proved about it.  `batch_graph` then has, by number, which batch comes before a round, and what a
   completion makes of a batch; it is there only if it has the batch before each round, and all that fit with one more. *)

From Coq Require Import ZArith List Lia Bool FMapPositive.
From Kvopt Require Import Keys Released Vectors Exhaustive.
Import ListNotations.
Open Scope Z_scope.

(* --- Batches ----------------------------------------------------------------------------- *)

Fixpoint insert_code (e : Z) (h : list Z) : list Z :=
  match h with
  | [] => [e]
  | x :: rest => if e <=? x then e :: h else x :: insert_code e rest
  end.

(* The batch after the completions of the time before. *)
Fixpoint before (W : Z) (h : list Z) : list Z :=
  match h with
  | [] => []
  | e :: rest => if e <? 2 * W then before W rest else (e - W) :: before W rest
  end.

(* The tokens in use in the round that ends. *)
Definition tokens (W : Z) (h : list Z) : Z := fold_right (fun e n => e / W + e mod W + n) 0 h.

(* A type: the code of who completes, and its tokens; the largest of its duals, and the one farthest
   from 0; its place in the number that says how many of each type have yet to complete; its output, the
   steps (release, dual) of its price, and (release, dual) of who completes if 1, 2, ... are left. *)
Record kind := Kind {
  code : Z; size : Z; dual : Z; far : Z; unit : Z; radix : Z;
  run : Z; steps : list (Z * Z); queue : PositiveMap.t (Z * Z)
}.

(* --- Numbers (nothing is proved about them) ---------------------------------------------- *)

Definition numbers := KeyMap.t Z.
Definition max_batches : Z := 8000000.

(* The numbers, the next one, and the batches that are new, with one more who runs. *)
Definition meeting : Type := numbers * (Z * list (list Z)).

(* A batch, and those before it. *)
Fixpoint meet_batch (W : Z) (fuel : nat) (h : list Z) (x : meeting) : meeting :=
  let '(N, (next, new)) := x in
  match fuel, KeyMap.find h N with
  | S fuel', None => meet_batch W fuel' (before W h) (KeyMap.add h next N, (next + 1, h :: new))
  | _, _ => x
  end.

Fixpoint find_batches (M W : Z) (kinds : list kind) (fuel : nat) (level : list (list Z)) (x : numbers * Z) : numbers * Z :=
  match fuel, level with
  | S fuel', _ :: _ =>
      let '(N, (next, new)) := fold_left (fun x h =>
          let left := M - tokens W h in
          fold_left (fun x k =>
            if (left <? size k) || (max_batches <? fst (snd x)) then x
            else meet_batch W (Z.to_nat (M + 1)) (insert_code (code k) h) x) kinds x)
        level (fst x, (snd x, [])) in
      find_batches M W kinds fuel' new (N, next)
  | _, _ => x
  end.

(* --- The graph --------------------------------------------------------------------------- *)

(* By number: batches after the round, the one before it; (type, batch) with one more who completes, and one less. *)
Record batch_graph := BatchGraph {
  how_many : Z;
  root : Z;
  nexts : vector (list Z);
  priors : vector (list Z);
  larger : vector (list (Z * Z));
  smaller : vector (list (Z * Z))
}.

(* The number before, and with one more of each type that fits; types are numbered from `first`. *)
Fixpoint with_one_more (left : Z) (N : numbers) (n i : Z) (h : list Z) (first : Z) (kinds : list kind) : option (list (Z * Z)) :=
  match kinds with
  | [] => Some []
  | k :: rest =>
      match with_one_more left N n i h (first + 1) rest with
      | None => None
      | Some found =>
          if left <? size k then Some found
          else match KeyMap.find (insert_code (code k) h) N with
            | Some j => if (i <? j) && (j <? n) then Some ((first, j) :: found) else None
            | None => None
            end
      end
  end.
Definition links : Type := Z * (Z * list (Z * Z)).
Definition links_of (M W : Z) (kinds : list kind) (N : numbers) (n r : Z) (x : list Z * Z) : option links :=
  let (h, i) := x in
  if (0 <=? i) && (i <? n) && (is_nil h || negb (i =? r)) then
    match KeyMap.find (before W h) N, with_one_more (M - tokens W h) N n i h 0 kinds with
    | Some b, Some found => if (0 <=? b) && (b <? n) then Some (i, (b, found)) else None
    | _, _ => None
    end
  else None.

Fixpoint all_some {A B : Type} (f : A -> option B) (l : list A) (found : list B) : option (list B) :=
  match l with
  | [] => Some found
  | x :: rest => match f x with Some y => all_some f rest (y :: found) | None => None end
  end.

Definition graph_of (M W : Z) (kinds : list kind) (N : numbers) (n : Z) : option batch_graph :=
  match KeyMap.find [] N with
  | None => None
  | Some r =>
      match all_some (links_of M W kinds N n r) (KeyMap.elements N) [] with
      | None => None
      | Some all => Some (BatchGraph n r
          (collect n (map (fun x => (fst (snd x), fst x)) all))
          (collect n (map (fun x => (fst x, fst (snd x))) all))
          (collect n (flat_map (fun x => map (fun y => (fst x, y)) (snd (snd x))) all))
          (collect n (flat_map (fun x => map (fun y => (snd y, (fst y, fst x))) (snd (snd x))) all)))
      end
  end.

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma insert_swap x y h : insert_code x (insert_code y h) = insert_code y (insert_code x h).
Proof.
  induction h as [|a h IH]; cbn [insert_code].
  - destruct (Z.leb_spec x y), (Z.leb_spec y x); try reflexivity; try lia. replace y with x by lia. reflexivity.
  - destruct (Z.leb_spec y a), (Z.leb_spec x a); cbn [insert_code];
      repeat (match goal with |- context [?u <=? ?v] => destruct (Z.leb_spec u v) end; cbn [insert_code]);
      try lia; try reflexivity; try (replace y with x by lia; reflexivity). rewrite IH. reflexivity.
Qed.

Lemma before_insert W e h :
  before W (insert_code e h) = if e <? 2 * W then before W h else insert_code (e - W) (before W h).
Proof.
  induction h as [|a h IH]; cbn [insert_code before]; [destruct (e <? 2 * W); reflexivity|].
  destruct (Z.leb_spec e a); cbn [before].
  - destruct (Z.ltb_spec e (2 * W)); [reflexivity|]. destruct (Z.ltb_spec a (2 * W)); [lia|].
    cbn [insert_code]. destruct (Z.leb_spec (e - W) (a - W)); [reflexivity|lia].
  - destruct (Z.ltb_spec a (2 * W)); [exact IH|]. rewrite IH. destruct (Z.ltb_spec e (2 * W)); [lia|].
    cbn [insert_code]. destruct (Z.leb_spec (e - W) (a - W)); [lia|reflexivity].
Qed.

Lemma tokens_insert W e h : tokens W (insert_code e h) = e / W + e mod W + tokens W h.
Proof.
  unfold tokens. induction h as [|a h IH]; cbn [insert_code fold_right]; [lia|].
  destruct (e <=? a); cbn [fold_right]; [lia|]. rewrite IH. lia.
Qed.

Lemma insert_length e h : length (insert_code e h) = S (length h).
Proof. induction h as [|a h IH]; cbn [insert_code]; [reflexivity|]. destruct (e <=? a); cbn [length]; auto. Qed.

Lemma all_some_spec {A B : Type} (f : A -> option B) l : forall found all, all_some f l found = Some all ->
  (forall y, In y found -> In y all) /\ forall x, In x l -> exists y, f x = Some y /\ In y all.
Proof.
  induction l as [|x l IH]; intros found all H; cbn [all_some] in H.
  - inversion H. subst. split; [auto|intros x []].
  - destruct (f x) as [y|] eqn:E; [|discriminate]. destruct (IH _ _ H) as [H1 H2]. split.
    + intros z Hz. apply H1. right. exact Hz.
    + intros z [<-|Hz]; [exists y; split; [exact E|apply H1; left; reflexivity]|apply H2, Hz].
Qed.

Lemma with_one_more_spec left N n i h kinds : forall first found, with_one_more left N n i h first kinds = Some found ->
  forall m k, nth_error kinds m = Some k -> size k <= left ->
  exists j, KeyMap.find (insert_code (code k) h) N = Some j /\ i < j < n /\ In (first + Z.of_nat m, j) found.
Proof.
  induction kinds as [|k0 kinds IH]; intros first found H m k Hm Hsize; [destruct m; discriminate|].
  cbn [with_one_more] in H. destruct (with_one_more left N n i h (first + 1) kinds) as [found'|] eqn:E; [|discriminate].
  destruct m as [|m]; cbn [nth_error] in Hm.
  - inversion Hm. subst k0. destruct (Z.ltb_spec left (size k)); [lia|].
    destruct (KeyMap.find (insert_code (code k) h) N) as [j|] eqn:Ej; [|discriminate].
    destruct ((i <? j) && (j <? n)) eqn:Hj; [|discriminate]. inversion H. exists j. split; [reflexivity|]. split; [lia|].
    left. f_equal. lia.
  - destruct (IH _ _ E m k Hm Hsize) as (j & H1 & H2 & H3). exists j. split; [exact H1|]. split; [exact H2|].
    replace (first + Z.of_nat (S m)) with (first + 1 + Z.of_nat m) by lia.
    destruct (left <? size k0); [inversion H; subst; exact H3|].
    destruct (KeyMap.find (insert_code (code k0) h) N); [|discriminate].
    destruct (_ && _); [|discriminate]. inversion H. right. exact H3.
Qed.

Section Graph.
  Context (M W : Z) (kinds : list kind) (N : numbers) (n : Z) (G : batch_graph).
  Context (HG : graph_of M W kinds N n = Some G).

  Lemma graph_root : KeyMap.find [] N = Some (root G) /\ how_many G = n.
  Proof.
    unfold graph_of in HG. destruct (KeyMap.find [] N) as [r|]; [|discriminate].
    destruct (all_some _ _ _) as [all|]; [|discriminate]. inversion HG. auto.
  Qed.

  Lemma batch_links h i : KeyMap.find h N = Some i -> 0 <= i < n /\ (h = [] \/ i <> root G) /\
    (exists b, KeyMap.find (before W h) N = Some b /\ 0 <= b < n /\ In i (at_place [] (nexts G) b) /\ In b (at_place [] (priors G) i)) /\
    forall m k, nth_error kinds m = Some k -> tokens W h + size k <= M ->
      exists j, KeyMap.find (insert_code (code k) h) N = Some j /\ i < j < n /\
        In (Z.of_nat m, j) (at_place [] (larger G) i) /\ In (Z.of_nat m, i) (at_place [] (smaller G) j).
  Proof.
    intros Hi. unfold graph_of in HG. destruct (KeyMap.find [] N) as [r|] eqn:Er; [|discriminate].
    destruct (all_some _ _ _) as [all|] eqn:E; [|discriminate]. inversion HG as [HG']. clear HG. cbn [root nexts priors larger smaller].
    apply all_some_spec in E as [_ E]. destruct (E _ (find_elements _ _ _ Hi)) as (y & Hy & Hin). cbn [links_of] in Hy.
    destruct ((0 <=? i) && (i <? n) && (is_nil h || negb (i =? r))) eqn:Hok; [|discriminate].
    apply andb_true_iff in Hok as [Hrange Hroot].
    destruct (KeyMap.find (before W h) N) as [b|] eqn:Eb; [|discriminate].
    destruct (with_one_more _ _ _ _ _ _ _) as [found|] eqn:Ef; [|discriminate].
    destruct ((0 <=? b) && (b <? n)) eqn:Hb; [|discriminate]. inversion Hy. subst y. clear Hy.
    split; [lia|]. split; [|split].
    - destruct h; [left; reflexivity|right]. cbn [is_nil orb] in Hroot. lia.
    - exists b. split; [reflexivity|]. split; [lia|]. split; apply at_collect; try lia; apply in_map_iff;
        exists (i, (b, found)); split; auto.
    - intros m k Hm Hsize. destruct (with_one_more_spec _ _ _ _ _ _ _ _ Ef m k Hm) as (j & H1 & H2 & H3); [lia|].
      exists j. split; [exact H1|]. split; [exact H2|]. rewrite Z.add_0_l in H3.
      split; apply at_collect; try lia; apply in_flat_map; exists (i, (b, found)); (split; [exact Hin|]); apply in_map_iff;
        exists (Z.of_nat m, j); split; auto.
  Qed.
End Graph.
