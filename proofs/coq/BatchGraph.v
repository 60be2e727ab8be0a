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
Definition tokens_of (W : Z) (h : list Z) : Z := fold_right (fun e n => e / W + e mod W + n) 0 h.

(* A type: the code of who completes, and its tokens; the largest of its duals, and the one farthest
   from 0; its place in the number that says how many of each type have yet to complete; its output, the
   steps (release, dual) of its price, and (release, dual) of who completes if 1, 2, ... are left. *)
Record kind := Kind {
  code : Z; size : Z; dual : Z; far : Z; unit : Z; radix : Z;
  run : Z; steps : list (Z * Z); queue : PositiveMap.t (Z * Z)
}.

(* The last time at which a completion of a type costs no more than z. *)
Definition last_completion (D z : Z) (k : kind) : Z := (dual k + z) / D.

(* --- Numbers (nothing is proved about them) ---------------------------------------------- *)

Definition numbers_of_batches := KeyMap.t Z.
Definition max_batches : Z := 8000000.

(* The numbers, the next one, and the batches that are new, with one more who runs. *)
Definition meeting : Type := numbers_of_batches * (Z * list (list Z)).

(* A batch, and those before it. *)
Fixpoint meet_batch (W : Z) (fuel : nat) (h : list Z) (x : meeting) : meeting :=
  let '(N, (next, new)) := x in
  match fuel, KeyMap.find h N with
  | S fuel', None => meet_batch W fuel' (before W h) (KeyMap.add h next N, (next + 1, h :: new))
  | _, _ => x
  end.

Fixpoint find_batches (M W : Z) (kinds : list kind) (fuel : nat) (level : list (list Z)) (x : numbers_of_batches * Z) : numbers_of_batches * Z :=
  match fuel, level with
  | S fuel', _ :: _ =>
      let '(N, (next, new)) := fold_left (fun x h =>
          let left := M - tokens_of W h in
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
  smaller : vector (list (Z * Z));
  lates : vector Z;  (* the last time at which each may be there *)
  reach : vector Z  (* at a time there may be those with smaller numbers than this *)
}.

(* With one more of each type that fits, who may be there until the one or the other may not; types are numbered
   from `first`. *)
Fixpoint with_one_more (D z left : Z) (lates : vector Z) (N : numbers_of_batches) (n i : Z) (h : list Z) (first : Z) (kinds : list kind) : option (list (Z * Z)) :=
  match kinds with
  | [] => Some []
  | k :: rest =>
      match with_one_more D z left lates N n i h (first + 1) rest with
      | None => None
      | Some found =>
          if left <? size k then Some found
          else match KeyMap.find (insert_code (code k) h) N with
            | Some j => if (i <? j) && (j <? n) && (Z.min (last_completion D z k) (at_place (-1) lates i) <=? at_place (-1) lates j)
              then Some ((first, j) :: found) else None
            | None => None
            end
      end
  end.
Definition links : Type := Z * (Z * list (Z * Z)).
Definition links_of (M W D z : Z) (kinds : list kind) (lates reach : vector Z) (N : numbers_of_batches) (n r : Z)
    (x : list Z * Z) : option links :=
  let (h, i) := x in
  let t := at_place (-1) lates i in
  if (0 <=? i) && (i <? n) && (is_nil h || negb (i =? r)) && ((t <? 0) || (i <? at_place 0 reach t)) then
    match KeyMap.find (before W h) N, with_one_more D z (M - tokens_of W h) lates N n i h 0 kinds with
    | Some b, Some found =>
        if (0 <=? b) && (b <? n) && (t - 1 <=? at_place (-1) lates b) then Some (i, (b, found)) else None
    | _, _ => None
    end
  else None.

Fixpoint all_found {A B : Type} (f : A -> option B) (l : list A) (found : list B) : option (list B) :=
  match l with
  | [] => Some found
  | x :: rest => match f x with Some y => all_found f rest (y :: found) | None => None end
  end.

Fixpoint never_rising (l : list Z) : bool :=
  match l with x :: (y :: _) as rest => (y <=? x) && never_rising rest | _ => true end.

Definition graph_of (M W D z top : Z) (kinds : list kind) (lates reach : vector Z) (N : numbers_of_batches) (n : Z) :
    option batch_graph :=
  match KeyMap.find [] N, reach with
  | None, _ => None
  | Some r, Vector counts =>
      if never_rising counts && (top <=? at_place (-1) lates r) then
        match all_found (links_of M W D z kinds lates reach N n r) (KeyMap.elements N) [] with
        | None => None
        | Some all => Some (BatchGraph n r
            (collect n (map (fun x => (fst (snd x), fst x)) all))
            (collect n (map (fun x => (fst x, fst (snd x))) all))
            (collect n (flat_map (fun x => map (fun y => (fst x, y)) (snd (snd x))) all))
            (collect n (flat_map (fun x => map (fun y => (snd y, (fst y, fst x))) (snd (snd x))) all))
            lates reach)
        end
      else None
  end.

(* --- When batches may be there (nothing is proved about it) ------------------------------ *)

(* By time those that may be there then, and whether the last time of a batch is found, with it. *)
Definition waiting_room : Type := KeyMap.t (list Z) * KeyMap.t Z.
Definition wait_for (t : Z) (i : Z) (x : waiting_room) : waiting_room :=
  match KeyMap.find [i] (snd x) with
  | Some _ => x
  | None =>
      let others := match KeyMap.find [t] (fst x) with Some l => l | None => [] end in
      (KeyMap.add [t] (i :: others) (fst x), snd x)
  end.
Fixpoint find_lates (lasts : vector Z) (G : batch_graph) (fuel : nat) (t : Z) (x : waiting_room) : KeyMap.t Z :=
  match fuel with
  | O => snd x
  | S fuel' =>
      if t <? 0 then snd x
      else match KeyMap.find [t] (fst x) with
        | None => find_lates lasts G fuel' (t - 1) x
        | Some now =>
            find_lates lasts G fuel' t (fold_left (fun x i =>
              match KeyMap.find [i] (snd x) with
              | Some _ => x
              | None =>
                  fold_left (fun x b => wait_for (t - 1) b x) (at_place [] (priors G) i)
                    (fold_left (fun x y => wait_for (Z.min t (at_place (-1) lasts (fst y))) (snd y) x)
                      (at_place [] (larger G) i) (fst x, KeyMap.add [i] t (snd x)))
              end) now (KeyMap.remove [t] (fst x), snd x))
        end
  end.

(* New numbers, those first that may be there last; when that is; and how many may be there at each time. *)
Definition renumbered (D z top : Z) (kinds : list kind) (G : batch_graph) (N : numbers_of_batches) : numbers_of_batches * (vector Z * vector Z) :=
  let lasts := Vector (map (last_completion D z) kinds) in
  let found := find_lates lasts G (Z.to_nat (2 * top + how_many G + 10)) top
    (KeyMap.add [top] [root G] (KeyMap.empty _), KeyMap.empty _) in
  let order := KeyMap.fold (fun h i S =>
    let t := match KeyMap.find [i] found with Some t => t | None => -1 end in
    KeyMap.add [top - t; i] (t, h) S) N (KeyMap.empty (Z * list Z)) in
  let '(N', (_, ts)) := KeyMap.fold (fun _ y x =>
      let '(N', (n, ts)) := x in (KeyMap.add (snd y) n N', (n + 1, fst y :: ts)))
    order (KeyMap.empty Z, (0, [])) in
  let counts := match collect (top + 1) (map (fun t => (t, 0)) ts) with Vector l =>
    fold_right (fun here sums => hd 0 sums + Z.of_nat (length here) :: sums) [] l end in
  (N', (Vector (rev' ts), Vector counts)).

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

Lemma tokens_insert W e h : tokens_of W (insert_code e h) = e / W + e mod W + tokens_of W h.
Proof.
  unfold tokens_of. induction h as [|a h IH]; cbn [insert_code fold_right]; [lia|].
  destruct (e <=? a); cbn [fold_right]; [lia|]. rewrite IH. lia.
Qed.

Lemma insert_length e h : length (insert_code e h) = S (length h).
Proof. induction h as [|a h IH]; cbn [insert_code]; [reflexivity|]. destruct (e <=? a); cbn [length]; auto. Qed.

Lemma all_some_spec {A B : Type} (f : A -> option B) l : forall found all, all_found f l found = Some all ->
  (forall y, In y found -> In y all) /\ forall x, In x l -> exists y, f x = Some y /\ In y all.
Proof.
  induction l as [|x l IH]; intros found all H; cbn [all_found] in H.
  - inversion H. subst. split; [auto|intros x []].
  - destruct (f x) as [y|] eqn:E; [|discriminate]. destruct (IH _ _ H) as [H1 H2]. split.
    + intros z Hz. apply H1. right. exact Hz.
    + intros z [<-|Hz]; [exists y; split; [exact E|apply H1; left; reflexivity]|apply H2, Hz].
Qed.

Lemma with_one_more_spec D z left lates N n i h kinds : forall first found,
  with_one_more D z left lates N n i h first kinds = Some found ->
  forall m k, nth_error kinds m = Some k -> size k <= left ->
  exists j, KeyMap.find (insert_code (code k) h) N = Some j /\ i < j < n /\
    Z.min (last_completion D z k) (at_place (-1) lates i) <= at_place (-1) lates j /\ In (first + Z.of_nat m, j) found.
Proof.
  induction kinds as [|k0 kinds IH]; intros first found H m k Hm Hsize; [destruct m; discriminate|].
  cbn [with_one_more] in H.
  destruct (with_one_more D z left lates N n i h (first + 1) kinds) as [found'|] eqn:E; [|discriminate].
  destruct m as [|m]; cbn [nth_error] in Hm.
  - inversion Hm. subst k0. destruct (Z.ltb_spec left (size k)); [lia|].
    destruct (KeyMap.find (insert_code (code k) h) N) as [j|] eqn:Ej; [|discriminate].
    destruct ((i <? j) && (j <? n) && (_ <=? _)) eqn:Hj; [|discriminate].
    apply andb_true_iff in Hj as [Hj Hlate]. apply Z.leb_le in Hlate.
    inversion H. exists j. split; [reflexivity|]. split; [lia|]. split; [exact Hlate|]. left. f_equal. lia.
  - destruct (IH _ _ E m k Hm Hsize) as (j & H1 & H2 & H3 & H4). exists j. split; [exact H1|]. split; [exact H2|].
    split; [exact H3|]. replace (first + Z.of_nat (S m)) with (first + 1 + Z.of_nat m) by lia.
    destruct (left <? size k0); [inversion H; subst; exact H4|].
    destruct (KeyMap.find (insert_code (code k0) h) N); [|discriminate].
    destruct (_ && _); [|discriminate]. inversion H. right. exact H4.
Qed.

Lemma falling_spec l : never_rising l = true -> forall i j, (i <= j < length l)%nat -> nth j l 0 <= nth i l 0.
Proof.
  induction l as [|x l IH]; intros H i j Hij; [cbn [length] in Hij; lia|].
  assert (Hl : never_rising l = true) by (destruct l; [reflexivity|cbn [never_rising] in H; apply andb_true_iff in H as [_ H]; exact H]).
  cbn [length] in Hij. destruct j as [|j]; [replace i with O by lia; lia|]. cbn [nth]. destruct i as [|i]; [|apply IH; [exact Hl|lia]].
  eapply Z.le_trans; [apply (IH Hl O j); lia|]. destruct l as [|y l]; [cbn [length] in Hij; lia|].
  cbn [never_rising nth] in *. apply andb_true_iff in H as [H _]. lia.
Qed.

Section Graph.
  Context (M W D z top : Z) (kinds : list kind) (ts bounds : vector Z) (N : numbers_of_batches) (n : Z) (G : batch_graph).
  Context (HG : graph_of M W D z top kinds ts bounds N n = Some G).

  (* The last time at which a batch may be there. *)
  Definition late_of (h : list Z) : Z :=
    match KeyMap.find h N with Some i => at_place (-1) (lates G) i | None => -1 end.

  Lemma graph_root : KeyMap.find [] N = Some (root G) /\ how_many G = n /\ top <= at_place (-1) (lates G) (root G).
  Proof.
    unfold graph_of in HG. destruct (KeyMap.find [] N) as [r|]; [|discriminate]. destruct bounds as [counts].
    destruct (never_rising counts && _) eqn:Hok; [|discriminate]. apply andb_true_iff in Hok as [_ Hok].
    destruct (all_found _ _ _) as [all|]; [|discriminate]. inversion HG. cbn [root how_many lates]. repeat split. lia.
  Qed.

  Lemma batch_links h i : KeyMap.find h N = Some i -> 0 <= i < n /\ (h = [] \/ i <> root G) /\
    (exists b, KeyMap.find (before W h) N = Some b /\ 0 <= b < n /\ In i (at_place [] (nexts G) b) /\ In b (at_place [] (priors G) i)
      /\ at_place (-1) (lates G) i - 1 <= at_place (-1) (lates G) b) /\
    (forall m k, nth_error kinds m = Some k -> tokens_of W h + size k <= M ->
      exists j, KeyMap.find (insert_code (code k) h) N = Some j /\ i < j < n /\
        In (Z.of_nat m, j) (at_place [] (larger G) i) /\ In (Z.of_nat m, i) (at_place [] (smaller G) j) /\
        Z.min (last_completion D z k) (at_place (-1) (lates G) i) <= at_place (-1) (lates G) j) /\
    forall t, 0 <= t <= at_place (-1) (lates G) i -> i < at_place 0 (reach G) t.
  Proof.
    intros Hi. unfold graph_of in HG. destruct (KeyMap.find [] N) as [r|] eqn:Er; [|discriminate]. destruct bounds as [counts].
    destruct (never_rising counts && _) eqn:Hfall; [|discriminate]. apply andb_true_iff in Hfall as [Hfall _].
    destruct (all_found _ _ _) as [all|] eqn:E; [|discriminate]. inversion HG as [HG']. clear HG.
    cbn [root nexts priors larger smaller lates reach].
    apply all_some_spec in E as [_ E]. destruct (E _ (find_elements _ _ _ Hi)) as (y & Hy & Hin). cbn [links_of] in Hy. cbv zeta in Hy.
    destruct ((0 <=? i) && (i <? n) && (is_nil h || negb (i =? r)) && _) eqn:Hok; [|discriminate].
    apply andb_true_iff in Hok as [Hok Hlate]. apply andb_true_iff in Hok as [Hrange Hroot].
    destruct (KeyMap.find (before W h) N) as [b|] eqn:Eb; [|discriminate].
    destruct (with_one_more _ _ _ _ _ _ _ _ _ _) as [found|] eqn:Ef; [|discriminate].
    destruct ((0 <=? b) && (b <? n) && _) eqn:Hb; [|discriminate]. inversion Hy. subst y. clear Hy.
    apply andb_true_iff in Hb as [Hb Hb'].
    split; [lia|]. split; [|split; [|split]].
    - destruct h; [left; reflexivity|right]. cbn [is_nil orb] in Hroot. lia.
    - exists b. split; [reflexivity|]. split; [lia|].
      split; [|split; [|apply Z.leb_le; exact Hb']]; apply at_collect; try lia; apply in_map_iff;
        exists (i, (b, found)); split; auto.
    - intros m k Hm Hsize. destruct (with_one_more_spec _ _ _ _ _ _ _ _ _ _ _ Ef m k Hm) as (j & H1 & H2 & H3 & H4); [lia|].
      exists j. split; [exact H1|]. split; [exact H2|]. rewrite Z.add_0_l in H4.
      split; [|split; [|exact H3]]; apply at_collect; try lia; apply in_flat_map; exists (i, (b, found));
        (split; [exact Hin|]); apply in_map_iff; exists (Z.of_nat m, j); split; auto.
    - intros t Ht. apply orb_true_iff in Hlate as [Hlate|Hlate]; [apply Z.ltb_lt in Hlate; lia|]. apply Z.ltb_lt in Hlate.
      set (last := at_place (-1) ts i) in *. cbn [at_place] in Hlate |- *.
      destruct (Z.leb_spec 0 last); [|lia]. destruct (Z.leb_spec 0 t); [|lia].
      destruct (Nat.lt_ge_cases (Z.to_nat last) (length counts)) as [Hlen|Hlen].
      + pose proof (falling_spec counts Hfall (Z.to_nat t) (Z.to_nat last) ltac:(lia)). lia.
      + rewrite nth_overflow in Hlate by exact Hlen. lia.
  Qed.

  Lemma late_number h t : 0 <= t <= late_of h -> exists i, KeyMap.find h N = Some i /\ t <= at_place (-1) (lates G) i.
  Proof. unfold late_of. destruct (KeyMap.find h N) as [i|]; intros H; [exists i; split; [reflexivity|lia]|lia]. Qed.

  Lemma late_before h t : 0 <= t -> t + 1 <= late_of h -> t <= late_of (before W h).
  Proof.
    intros Ht H. destruct (late_number h (t + 1) ltac:(lia)) as (i & Hi & Hlate).
    destruct (batch_links h i Hi) as (_ & _ & (b & Hb & _ & _ & _ & Hb') & _). unfold late_of. rewrite Hb. lia.
  Qed.

  Lemma late_more h t m k : nth_error kinds m = Some k -> tokens_of W h + size k <= M -> 0 <= t <= late_of h ->
    t <= last_completion D z k -> t <= late_of (insert_code (code k) h).
  Proof.
    intros Hm Hfit Ht Hk. destruct (late_number h t Ht) as (i & Hi & Hlate).
    destruct (batch_links h i Hi) as (_ & _ & _ & Hmore & _). destruct (Hmore m k Hm Hfit) as (j & Hj & _ & _ & _ & Hj').
    unfold late_of. rewrite Hj. lia.
  Qed.
End Graph.
